"""Those who take part: mounts, whose CPU seconds and memory are known, and programs that speak FTP themselves."""

import contextlib
import os
import subprocess
import tempfile
import time
from pathlib import Path

from .programs import NO_HOME, SHORT, USER, Failed, run, timed

PATIENCE = 10  # seconds: a mount may be busy for a moment


class Mount:
    """A mount in the background on a new mountpoint, cold; `usage` tells what its process has used."""

    def __init__(self, command, environment):
        self.folder = Path(tempfile.mkdtemp(prefix="ftpfs-bench-mnt-"))
        try:
            run([word if word is not MOUNTPOINT else self.folder for word in command], env=environment)
            self.process = self.find(Path(command[0]).name)
        except BaseException:
            # rmdir, so that nothing is ever deleted through a mount.
            self.folder.rmdir()
            raise

    def find(self, program):
        """The process that was left in the background."""
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (process / "cmdline").read_bytes().split(b"\0")
                if Path(os.fsdecode(words[0])).name == program and bytes(self.folder) in words:
                    return process
        raise Failed(f"{program} is not there any more")

    def usage(self):
        """CPU seconds, its own and the kernel's for it, and the most memory it had, in MiB."""
        words = (self.process / "stat").read_text().rsplit(")", 1)[1].split()
        cpu = (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
        peak = int((self.process / "status").read_text().split("VmHWM:")[1].split()[0]) / 1024
        return cpu, peak

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end = time.monotonic() + PATIENCE
        while True:
            done = subprocess.run(["fusermount3", "-u", self.folder], capture_output=True, text=True, check=False)
            if not done.returncode:
                break
            if time.monotonic() > end:
                subprocess.run(["fusermount3", "-u", "-z", self.folder], capture_output=True, check=False)
                raise Failed(f"cannot unmount: {done.stderr}")
            time.sleep(0.1)
        self.folder.rmdir()
        # It goes on for a moment, and has its files as long.
        end = time.monotonic() + SHORT
        while self.process.exists() and time.monotonic() < end:
            time.sleep(0.02)


MOUNTPOINT = object()


class Ftpfs(Mount):
    def __init__(self, o, server, options=""):
        # Where the server's files are, too: the same disk for both.
        self.spool = tempfile.TemporaryDirectory(prefix="ftpfs-bench-spool-")
        words = ["ssl,no_verify_peer" if server.tls else "tls=off", f"spool_dir={self.spool.name}", options]
        super().__init__([o.program, "-o", ",".join(filter(None, words)), server.url(), MOUNTPOINT], NO_HOME)

    def __exit__(self, *_):
        with self.spool:
            super().__exit__()


class Rclone(Mount):
    """As it comes; what is written to it is stored when the file is closed."""

    def __init__(self, server):
        # Some of its files lie in a cache below HOME, which is none of ours.
        self.home = tempfile.TemporaryDirectory(prefix="ftpfs-bench-rclone-")
        environment = rclone(server) | {"HOME": self.home.name, "XDG_CACHE_HOME": self.home.name}
        super().__init__(["rclone", "mount", ":ftp:", MOUNTPOINT, "--daemon"], environment)

    def __exit__(self, *_):
        with self.home:
            super().__exit__()


def rclone(server):
    obscured = run(["rclone", "obscure", server.password]).stdout.strip()
    here = {"HOST": server.address, "PORT": str(server.port), "USER": USER, "PASS": obscured}
    if server.tls:
        here |= {"EXPLICIT_TLS": "true", "NO_CHECK_CERTIFICATE": "true"}
    return NO_HOME | {"RCLONE_CONFIG": "/dev/null"} | {f"RCLONE_FTP_{key}": value for key, value in here.items()}


def lftp(server, command):
    """Seconds that lftp takes for a command, with its login."""
    secure = "true" if server.tls else "false"
    script = f"set net:max-retries 1; set ssl:verify-certificate no; set ftp:ssl-force {secure}; "
    script += f"set ftp:ssl-protect-data {secure}; set ftp:ssl-allow {secure}; open {server.url()}; {command}"
    return timed(["lftp", "-c", script], env=NO_HOME)


def curl(server, *arguments):
    return timed(["curl", "-sS", *(["--ssl-reqd", "--insecure"] if server.tls else []), *arguments], env=NO_HOME)
