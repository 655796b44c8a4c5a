"""What is read and written: made once, and given to each server by hard links."""

import contextlib
import os
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .programs import LONG, run

MTIME = 1_600_041_600  # a midnight long ago: what FTP can tell in any listing, of directories too


@dataclass
class Sizes:
    """How much there is. Who is slow gets a part: `find` over one twig of a tree, say, is compared per directory."""

    branches: int = 8  # of the tree, each with
    twigs: int = 5  # and each of these with
    leaves: int = 25  # directories
    inside: int = 10  # of so many files
    folders: int = 10  # of small files, each with
    each: int = 100  # files
    some: int = 200  # files for those who store one after the other
    few: int = 25  # and for those who are slow at it
    reads: int = 200
    large: int = 1024  # MiB
    written: int = 512
    sequential: int = 256
    names: int = 10_000

    def files(self, part=""):
        return {"": self.folders * self.each, "some": self.some, "few": self.few}[part]

    @classmethod
    def quick(cls):
        return cls(leaves=5, folders=4, each=50, some=50, few=10, reads=50, large=256, written=128, sequential=64, names=2000)


class Stock:
    """`tree`, `small`, `large`, `sequential`, `many` for servers; `source`, `source-some` and `source-few` for uploads.

    `small-few` is read by those who are slow, `sequential-quarter` where the line is."""

    def __init__(self, folder, sizes):
        self.folder, self.sizes = folder, sizes
        folder.mkdir()

    def has(self, name):
        """The path of what is asked for, which is made now if it was not yet."""
        path = self.folder / name
        if not path.exists():
            getattr(self, name.partition("-")[0])(path, name.partition("-")[2])
        return path

    def give(self, server, name, to=None):
        """Hands something to a server's folder."""
        run(["cp", "-al", self.has(name), server.served / (to or name)], LONG)
        server.hand_over(to or name)

    def tree(self, path, _):
        s = self.sizes
        for branch in range(s.branches):
            for twig in range(s.twigs):
                for leaf in range(s.leaves):
                    here = path / str(branch) / str(twig) / f"{leaf:02}"
                    here.mkdir(parents=True)
                    for n in range(s.inside):
                        (here / f"{n}.txt").write_bytes(b"x")

    def small(self, path, part):
        """4 to 64 KiB each; the last line is for grep, which has to read the whole file."""
        for n, file in enumerate(self.files(path, part)):
            last = f"\nneedle {n:05}\n".encode()
            file.write_bytes(os.urandom(4096 + n * 7919 % 61_441 - len(last)) + last)

    def source(self, path, part):
        """4 KiB each."""
        for file in self.files(path, part):
            file.write_bytes(os.urandom(4096))
        for there in [*path.rglob("*"), path]:
            os.utime(there, (MTIME, MTIME))

    def files(self, path, part):
        for n in range(self.sizes.files(part)):
            file = path / f"{n // self.sizes.each:02}" / f"{n:05}.bin"
            file.parent.mkdir(parents=True, exist_ok=True)
            yield file

    def large(self, path, _):
        noise(path, self.sizes.large)

    def written(self, path, _):
        noise(path, self.sizes.written)

    def sequential(self, path, part):
        noise(path, self.sizes.sequential // (4 if part else 1))

    def many(self, path, _):
        path.mkdir()
        for n in range(self.sizes.names):
            (path / f"entry-{n:06}").write_bytes(b"x")


def noise(path, mebibytes):
    with open(path, "wb") as file:
        for _ in range(mebibytes):
            file.write(random.randbytes(1 << 20))


@contextlib.contextmanager
def scratch(o):
    """A new folder of this machine for what is copied out."""
    with tempfile.TemporaryDirectory(prefix="to-", dir=o.folder) as folder:
        yield Path(folder)
