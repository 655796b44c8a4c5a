"""Running programs that must succeed, and where things are."""

import os
import re
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAB = Path(os.environ.get("FTPFS_LAB", "/opt/ftpfs-lab"))
USER = "ftpfslab"
PASSWORD_FILE = Path("/etc/ftpfs-lab.password")
SHORT = 60  # seconds for a program that sets something up
LONG = 900  # and for one that is measured

NO_HOME = dict(os.environ, HOME="/nonexistent", LC_ALL="C")


class Failed(Exception):
    """A program failed, or what it brought is not what was there."""


def run(command, limit=SHORT, **more):
    words = [str(word) for word in command]
    more = {"capture_output": True, "text": True, "errors": "replace", "stdin": subprocess.DEVNULL} | more
    try:
        done = subprocess.run(words, timeout=limit, check=False, **more)
    except subprocess.TimeoutExpired:
        raise Failed(f"{words[0]}: not done after {limit} s") from None
    if done.returncode:
        shown = re.sub(r"//[^/@]*@", "//", " ".join(words))
        raise Failed(f"{shown}: exit {done.returncode}\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
    return done


def timed(command, limit=LONG, **more):
    start = time.monotonic()
    run(command, limit, **more)
    return time.monotonic() - start


def same(first, second):
    """Compares two files or two trees byte by byte."""
    run(["diff", "-rq", first, second], LONG)
