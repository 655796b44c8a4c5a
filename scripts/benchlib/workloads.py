"""What all workloads share, and those that walk and fetch; `storing` has the others.

A workload names its clients; `alternate` lets them take turns. Each client returns what it took, and has compared by then what it
brought with what was there. Who took longer than PATIENCE is measured once only."""

import os
import random
import time
from dataclasses import dataclass

from . import figures
from .clients import Ftpfs, Rclone, curl, lftp
from .figures import Row
from .programs import LONG, Failed, run, same, timed
from .stock import scratch

PATIENCE = 120  # seconds


@dataclass
class Taken:
    seconds: float
    mount: object = None  # whose process is looked at now
    usage: tuple = ()

    def __post_init__(self):
        if self.mount:
            self.usage = self.mount.usage()


@dataclass
class Place:
    """Where a workload runs: the server, and the line to it."""

    o: object
    figures: object
    server: object
    line: object = None

    def row(self, workload, client, items, unit):
        way = {"rtt": self.line.rtt, "mbit": self.line.mbit} if self.line else {}
        row = Row(workload, self.server.name, client, items, unit, **way)
        self.figures.rows.append(row)
        return row

    def rclone_takes_part(self):
        return self.o.rclone and not self.o.tls


def alternate(place, workload, unit, clients):
    """`clients` has the number of items and a function for each name; None where somebody cannot take part."""
    rows = [(place.row(workload, name, items, unit), work) for name, items, work in filter(None, clients)]
    for _ in range(place.o.runs):
        for row, work in rows:
            if row.failed or max(row.seconds, default=0) > PATIENCE:
                continue
            try:
                taken = work()
            except (Failed, OSError) as failure:
                row.failed = str(failure).strip().split("\n", 1)[0][:200]
                print(f"bench: {workload}, {row.client}: {failure}", flush=True)
                continue
            row.seconds.append(taken.seconds)
            if taken.usage:
                row.cpu.append(taken.usage[0])
                row.peak.append(taken.usage[1])
    place.o.report.show([row for row, _ in rows], place.figures)


def by_rclone(place, client, items, work):
    return (client, items, lambda: mounted(Rclone, work, place.server)) if place.rclone_takes_part() else None


def mounted(kind, work, *arguments):
    with kind(*arguments) as mount:
        return work(mount)


def by_ftpfs(place, client, items, work, options=""):
    return client, items, lambda: mounted(Ftpfs, work, place.o, place.server, options)


# ---- Walking -------------------------------------------------------------------------------------------------------


def walk(place):
    """`find` over many directories; rclone has one twig of the tree, lftp a branch."""
    s, o = place.o.sizes, place.o
    tree = place.server.served / "tree"
    o.stock.give(place.server, "tree")

    def find(part):
        wanted = sorted(str(path.relative_to(tree)) for path in (tree / part).rglob("*"))

        def work(mount):
            start = time.monotonic()
            found = run(["find", mount.folder / "tree" / part, "-mindepth", "1", "-printf", "%P\\n"], LONG).stdout
            taken = Taken(time.monotonic() - start, mount)
            if sorted(os.path.normpath(os.path.join(part, name)) for name in found.split("\n")[:-1]) != wanted:
                raise Failed("find has not seen what is there")
            return taken

        return work

    alternate(place, "walk", "directory", [
        by_ftpfs(place, "ftpfs", s.branches * s.twigs * s.leaves, find(".")),
        (figures.LFTP_WALK, s.twigs * s.leaves,
         lambda: Taken(lftp(place.server, f"mirror --dry-run --parallel=8 tree/0 {o.folder}/nowhere"))),
        by_rclone(place, figures.RCLONE, s.leaves, find("0/0")),
    ])


def listing(place):
    """`ls -l` of one large directory."""
    count = place.o.sizes.names
    place.o.stock.give(place.server, "many")

    def ls(mount):
        start = time.monotonic()
        lines = run(["ls", "-l", mount.folder / "many"], LONG).stdout.count("\n")
        taken = Taken(time.monotonic() - start, mount)
        if lines != count + 1:
            raise Failed(f"ls has seen {lines - 1} of {count} names")
        return taken

    alternate(place, "list", "name", [
        by_ftpfs(place, "ftpfs", count, ls),
        ("curl, the bare listing", count, lambda: Taken(curl(place.server, "-o", "/dev/null", place.server.url("many/")))),
        by_rclone(place, figures.RCLONE, count, ls),
    ])


# ---- Many small files ----------------------------------------------------------------------------------------------


def fetch(place):
    """Many small files, by programs that read everything; rclone has a few."""
    s, o = place.o.sizes, place.o
    for name in ("small", "small-few"):
        o.stock.give(place.server, name)
    served = place.server.served

    def cp(part):
        def work(mount):
            with scratch(o) as to:
                taken = Taken(timed(["cp", "-r", mount.folder / part, to / "copy"]), mount)
                same(served / part, to / "copy")
                return taken

        return work

    def tar(part):
        def work(mount):
            with scratch(o) as to:
                taken = Taken(timed(["tar", "c", "-f", to / "tar", "-C", mount.folder, part]), mount)
                run(["tar", "x", "-f", to / "tar", "-C", to, "--no-same-owner"])
                (to / "tar").unlink()
                same(served / part, to / part)
                return taken

        return work

    def grep(part):
        wanted = sorted(file.read_bytes()[-13:].decode().strip() for file in (served / part).rglob("*.bin"))

        def work(mount):
            start = time.monotonic()
            found = run(["grep", "-rah", "^needle ", mount.folder / part], LONG).stdout
            taken = Taken(time.monotonic() - start, mount)
            if sorted(found.split("\n")[:-1]) != wanted:
                raise Failed("grep has not found what is there")
            return taken

        return work

    def mirror():
        with scratch(o) as to:
            taken = Taken(lftp(place.server, f"mirror --parallel=8 small {to}/copy"))
            same(served / "small", to / "copy")
            return taken

    ways = [(figures.CP, cp), (figures.TAR, tar), (figures.GREP, grep)]
    alternate(place, "fetch", "file", [
        *(by_ftpfs(place, f"ftpfs{name}", s.files(), way("small")) for name, way in ways),
        (figures.LFTP_OUT, s.files(), mirror),
        *(by_rclone(place, figures.RCLONE + name, s.few, way("small-few")) for name, way in ways),
    ])


# ---- Large files ---------------------------------------------------------------------------------------------------


def read(place):
    """One large file into nothing."""
    o, server, size = place.o, place.server, place.o.sizes.large
    source = o.stock.has("large")
    o.stock.give(server, "large")

    def dd(mount):
        taken = Taken(timed(["dd", f"if={mount.folder}/large", "of=/dev/null", "bs=1M"]), mount)
        run(["cmp", mount.folder / "large", source], LONG)
        return taken

    alternate(place, "read", "MiB", [
        by_ftpfs(place, "ftpfs", size, dd),
        (figures.CURL, size, lambda: Taken(curl(server, "-o", "/dev/null", server.url("large")))),
        by_rclone(place, figures.RCLONE, size, dd),
    ])


def random_reads(place):
    """4 KiB here and there; a run counts by its median read."""
    o = place.o
    source = o.stock.has("large")
    o.stock.give(place.server, "large")
    places = random.Random(1)

    def reads(count):
        def work(mount):
            times = []
            with open(source, "rb") as there, open(mount.folder / "large", "rb", buffering=0) as file:
                for _ in range(count):
                    at = places.randrange(o.sizes.large << 8) << 12
                    start = time.monotonic()
                    block = os.pread(file.fileno(), 4096, at)
                    times.append(time.monotonic() - start)
                    if block != os.pread(there.fileno(), 4096, at):
                        raise Failed(f"other bytes at {at}")
            return Taken(sorted(times)[count // 2], mount)

        return work

    alternate(place, "random", "read", [
        by_ftpfs(place, "ftpfs", 1, reads(o.sizes.reads)),
        by_rclone(place, figures.RCLONE, 1, reads(o.sizes.reads // 10)),
    ])


def sequential(place):
    """One large file to this machine's disk; where the line is capped, some have a quarter of it."""
    o, server = place.o, place.server
    workload, part = ("capped", "sequential-quarter") if place.line.mbit else ("sequential", "sequential")
    for name in {"sequential", part}:
        o.stock.give(server, name)

    def cp(name):
        def work(mount):
            with scratch(o) as to:
                taken = Taken(timed(["cp", mount.folder / name, to / "copy"]), mount)
                run(["cmp", to / "copy", o.stock.has(name)], LONG)
                return taken

        return work

    def fetched(name, client):
        with scratch(o) as to:
            taken = Taken(client(to / "copy"))
            run(["cmp", to / "copy", o.stock.has(name)], LONG)
            return taken

    whole, some = o.sizes.sequential, o.sizes.sequential // (4 if place.line.mbit else 1)
    alternate(place, workload, "MiB", [
        by_ftpfs(place, "ftpfs", whole, cp("sequential")),
        (figures.PGET, some,
         lambda: fetched(part, lambda to: lftp(server, f"pget -n 8 {part} -o {to}"))),
        (figures.CURL, some, lambda: fetched(part, lambda to: curl(server, "-o", to, server.url(part)))),
        by_rclone(place, figures.RCLONE, some, cp(part)),
    ])
