"""A slow line to a network namespace, by scripts/slowline."""

import contextlib
import ipaddress
import os
import socket
import subprocess
import time

from .programs import ROOT, SHORT, Failed, run


class SlowLine:
    """A network namespace at the end of a line that takes `rtt` milliseconds there and back, and carries `mbit` a second."""

    def __init__(self, rtt, mbit=0):
        self.rtt, self.mbit = rtt, mbit
        # RFC 2544 keeps these addresses for measuring; four for each line, so that two runs do not meet.
        first = ipaddress.IPv4Address("198.18.0.0") + os.getpid() % (1 << 15) * 4
        self.near, self.far = str(first + 1), str(first + 2)
        self.namespace = f"ftpfs-bench-{os.getpid()}"
        here, there = f"fb{os.getpid()}a", f"fb{os.getpid()}b"
        run(["ip", "netns", "add", self.namespace])
        command = [ROOT / "scripts/slowline", here, there, str(rtt / 2), str(mbit)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            if self.process.stdout.readline() != "ready\n":
                raise Failed("no slow line: is there a /dev/net/tun?")
            inside = ["ip", "netns", "exec", self.namespace]
            run(["ip", "link", "set", there, "netns", self.namespace])
            run(["ip", "address", "add", f"{self.near}/30", "dev", here])
            run(["ip", "link", "set", here, "txqueuelen", "20000", "up"])
            run([*inside, "ip", "link", "set", "lo", "up"])
            run([*inside, "ip", "address", "add", f"{self.far}/30", "dev", there])
            run([*inside, "ip", "link", "set", there, "txqueuelen", "20000", "up"])
            # What Linux does by itself, whatever this machine has been told.
            run(["ip", "route", "change", f"{first}/30", "dev", here, "congctl", "cubic"])
            run([*inside, "ip", "route", "change", f"{first}/30", "dev", there, "congctl", "cubic"])
            self.process.stdin.write("both are up\n")
            self.process.stdin.flush()
        except BaseException:
            self.stop()
            raise

    def measured(self):
        """Milliseconds that a connect takes, which is one round trip: the least of five."""
        return min(self.connect() for _ in range(5))

    def connect(self):
        start = time.monotonic()
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection((self.far, 9), SHORT):
            pass
        return (time.monotonic() - start) * 1000

    def stop(self):
        self.process.stdin.close()
        self.process.wait()
        run(["ip", "netns", "del", self.namespace])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
