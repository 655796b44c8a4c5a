"""Runs pyftpdlib for one user and one folder: pyftpd.py FILE, with one key=value per line.

Used by the tests and by scripts/demo. Started as root, it gives up root before the first client comes.
"""

import _strptime  # noqa: F401  datetime loads it late otherwise, as a user who may not read it
import logging
import os
import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

with open(sys.argv[1], encoding="utf-8") as file:
    conf = dict(line.rstrip("\n").split("=", 1) for line in file)

users = DummyAuthorizer()
users.add_user(conf["user"], conf["password"], conf["served"], perm="elradfmwMT")
FTPHandler.authorizer = users
if "low" in conf:  # else the kernel chooses
    FTPHandler.passive_ports = range(int(conf["low"]), int(conf["high"]) + 1)
FTPHandler.timeout = int(conf["idle"])
logging.basicConfig(level=logging.WARNING)

server = FTPServer((conf["addr"], int(conf["port"])), FTPHandler)
server.max_cons = 4096  # counts data connections, too: never the limit that is meant
server.max_cons_per_ip = int(conf["clients"])  # 0: no limit

os.umask(int(conf["umask"]))
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(int(conf["gid"]))
    os.setuid(int(conf["uid"]))
server.serve_forever()
