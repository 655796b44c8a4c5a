"""The workloads that write."""

import shutil
import time

from . import figures
from .clients import curl, lftp
from .programs import LONG, Failed, run, same, timed
from .workloads import Taken, alternate, by_ftpfs, by_rclone


def store(place):
    """Many new small files; who stores one after the other has some of them, rclone a few."""
    o, s, server = place.o, place.o.sizes, place.server
    everything, some, few = (o.stock.has(name) for name in ("source", "source-some", "source-few"))
    new = server.served / "new"

    def stored(source, seconds, mount=None):
        taken = Taken(seconds, mount)
        same(source, new)
        shutil.rmtree(new)
        return taken

    def by(command, source, sync=False):
        def work(mount):
            start = time.monotonic()
            # A slash at the end makes rsync copy what is in it, as `cp -r` does to a new name.
            run([*command, f"{source}/" if "rsync" in command else source, mount.folder / "new"], LONG)
            if sync:
                run([o.program, "sync", mount.folder], LONG)
            return stored(source, time.monotonic() - start, mount)

        def clean(mount):
            # What a run has left that failed is none of the next one's business.
            shutil.rmtree(new, ignore_errors=True)
            return work(mount)

        return clean

    def mirror():
        shutil.rmtree(new, ignore_errors=True)
        return stored(everything, lftp(server, f"mirror -R --parallel=8 {everything} new"))

    cp, rsync = ["cp", "-r"], ["rsync", "-a"]
    alternate(place, "store", "file", [
        by_ftpfs(place, figures.DEFAULT_CP, s.some, by(cp, some)),
        by_ftpfs(place, figures.DEFAULT_RSYNC, s.some, by(rsync, some)),
        by_ftpfs(place, figures.BACK_CP, s.files(), by(cp, everything, sync=True), "writeback"),
        by_ftpfs(place, figures.BACK_RSYNC, s.files(), by(rsync, everything, sync=True), "writeback"),
        (figures.LFTP_IN, s.files(), mirror),
        by_rclone(place, figures.RCLONE + figures.CP, s.few, by(cp, few)),
        by_rclone(place, f"{figures.RCLONE}, rsync -a", s.few, by(rsync, few)),
    ])


def again(place):
    """`rsync -a` of files that are all there already, beside a walk that looks at the attributes of each."""
    o, s, server = place.o, place.o.sizes, place.server
    source = o.stock.has("source")
    run(["cp", "-a", source, server.served / "there"], LONG)
    server.hand_over("there")

    def rsync(mount):
        start = time.monotonic()
        said = run(["rsync", "-ai", f"{source}/", mount.folder / "there"], LONG).stdout
        taken = Taken(time.monotonic() - start, mount)
        if "<f" in said or ">f" in said:
            raise Failed(f"rsync has sent again what was there: {said[:200]}")
        same(source, server.served / "there")
        return taken

    def find(mount):
        start = time.monotonic()
        found = run(["find", mount.folder / "there", "-type", "f", "-printf", "%s %T@\\n"], LONG).stdout.count("\n")
        taken = Taken(time.monotonic() - start, mount)
        if found != s.files():
            raise Failed(f"find has seen {found} files")
        return taken

    alternate(place, "again", "file", [
        by_ftpfs(place, figures.DEFAULT_RSYNC, s.files(), rsync),
        by_ftpfs(place, figures.WALK_ALONE, s.files(), find),
    ])
    shutil.rmtree(server.served / "there")


def write(place):
    """One large file, until it is stored."""
    o, server, size = place.o, place.server, place.o.sizes.written
    source = o.stock.has("written")

    def stored(seconds, mount=None):
        # What was said to be stored is there now, not soon.
        taken = Taken(seconds, mount)
        run(["cmp", source, server.served / "new"], LONG)
        (server.served / "new").unlink()
        return taken

    def dd(*more):
        def work(mount):
            return stored(timed(["dd", f"if={source}", f"of={mount.folder}/new", "bs=1M", *more]), mount)

        return work

    alternate(place, "write", "MiB", [
        by_ftpfs(place, figures.FTPFS, size, dd("conv=fsync")),
        (figures.CURL, size, lambda: stored(curl(server, "-T", source, server.url("new")))),
        # It has no fsync; what it writes is stored when the file is closed.
        by_rclone(place, figures.RCLONE, size, dd()),
    ])
