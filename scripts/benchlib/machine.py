"""What the figures were taken on."""

import gzip
import os
import platform
import re
import shutil
import subprocess
import time
from pathlib import Path

from .programs import LAB, ROOT


def describe(o):
    """Lines of (what, value)."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) / (1 << 20)
    load = ", ".join(f"{n:.1f}" for n in os.getloadavg())
    found = {
        "Processor": f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores",
        "Memory": f"{memory:.1f} GiB",
        "Kernel": f"{platform.system()} {platform.release()}",
        "ftpfs": f"{said([o.program, '--version'])}, commit {commit()}",
        "Servers": ", ".join(server_version(name) for name in o.servers),
        "Rivals": ", ".join(filter(None, [rival("rclone", "version"), rival("lftp", "--version"), rival("curl", "--version")])),
        "Line": f"scripts/slowline, {o.rtt:g} ms there and back, cubic at both ends; loopback otherwise",
        "When": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "How": f"alternately; {'everything encrypted' if o.tls else 'nothing encrypted'}{'; --quick' if o.quick else ''}",
        "Load before": f"{load} (1, 5, 15 minutes)",
    }
    return list(found.items())


def said(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, cwd=ROOT)
    return (done.stdout + done.stderr).strip().split("\n")[0]


def commit():
    """The last one that changed the program: the scripts and documents of later ones change no figure."""
    program = ["--", "src", "Cargo.toml", "Cargo.lock"]
    changed = said(["git", "status", "--porcelain", "--untracked-files=no", *program])
    return said(["git", "log", "-1", "--format=%h", "--abbrev=10", *program]) + (" with changes" if changed else "")


def rival(name, word):
    version = re.search(r"\d+\.\d+[.\d]*", said([name, word])) if shutil.which(name) else None
    return f"{name} {version[0]}" if version else None


def server_version(name):
    if name == "vsftpd":
        # `vsftpd -v` says its version on standard input.
        text = documented("vsftpd")
    elif name == "proftpd":
        text = said([LAB / "usr/sbin/proftpd", "--version"])
    else:
        text = said([LAB / "usr/sbin/pure-ftpd", "--help"])
    version = re.search(r"\d+\.\d+[.\da-z]*", text)
    return f"{name} {version[0] if version else '?'}"


def documented(name):
    """The version in the package's own change log, which was unpacked with it."""
    for file in (LAB / "usr/share/doc" / name).glob("changelog*.gz"):
        with gzip.open(file, "rt", errors="replace") as text:
            return text.readline()
    return ""
