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


def tls_handler():
    """The handler that speaks TLS; keys are read now, while they can be."""
    from OpenSSL import SSL
    from pyftpdlib.handlers import TLS_FTPHandler

    TLS_FTPHandler.certfile = conf["certificate"]
    TLS_FTPHandler.tls_control_required = TLS_FTPHandler.tls_data_required = conf["tls"] == "required"
    context = TLS_FTPHandler.get_ssl_context()
    version = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}.get(conf["versions"])
    if version:
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
    if "client_ca" in conf:
        context.load_verify_locations(conf["client_ca"])
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *about: about[-1])
        # OpenSSL resumes no session of a context that asks for certificates and has no name.
        context.set_session_id(b"lab")
    return TLS_FTPHandler


users = DummyAuthorizer()
users.add_user(conf["user"], conf["password"], conf["served"], perm=conf.get("may", "elradfmwMT"))
handler = tls_handler() if "tls" in conf else FTPHandler
handler.authorizer = users
if "low" in conf:  # else the kernel chooses
    handler.passive_ports = range(int(conf["low"]), int(conf["high"]) + 1)
if conf.get("passive") == "no":
    handler.proto_cmds = {verb: what for verb, what in handler.proto_cmds.items() if verb not in ("EPSV", "PASV")}
handler.permit_foreign_addresses = conf.get("foreign") == "yes"
handler.use_gmt_times = conf.get("times") != "local"
handler.masquerade_address = conf.get("masquerade")
handler.timeout = int(conf["idle"])
logging.basicConfig(level=logging.WARNING)

server = FTPServer((conf["addr"], int(conf["port"])), handler)
server.max_cons = 4096  # counts data connections, too: never the limit that is meant
server.max_cons_per_ip = int(conf["clients"])  # 0: no limit

os.umask(int(conf["umask"]))
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(int(conf["gid"]))
    os.setuid(int(conf["uid"]))
server.serve_forever()
