"""FTP servers of scripts/setup, each serving a folder."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from .programs import LAB, PASSWORD_FILE, USER, Failed, run


class Server:
    """A server for `folder/served`, in a process group of its own.

    vsftpd knows only LIST; ProFTPD and Pure-FTPd have MLSD. It runs on this machine's loopback, or at the far end of `line`."""

    def __init__(self, name, folder, tls, line=None):
        self.address = line.far if line else "127.0.0.1"
        self.name, self.folder, self.served, self.tls = name, folder, folder / "served", tls
        self.pem, self.cert = folder / "server.pem", folder / "cert.pem"
        if tls:
            run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                 "-keyout", self.pem, "-out", self.cert])
            self.pem.write_text(self.pem.read_text() + self.cert.read_text())
        self.password = PASSWORD_FILE.read_text().strip()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = {"vsftpd": self.vsftpd, "proftpd": self.proftpd, "pure-ftpd": self.pure_ftpd}[name]()
        inside = ["ip", "netns", "exec", line.namespace] if line else []
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([*inside, *command], start_new_session=True, **quiet)
        self.wait_for_greeting()

    def vsftpd(self):
        (self.folder / "empty").mkdir(exist_ok=True)
        conf = self.folder / "vsftpd.conf"
        conf.write_text(
            f"listen=YES\nlisten_address={self.address}\nlisten_port={self.port}\nbackground=NO\n"
            f"anonymous_enable=NO\nlocal_enable=YES\nwrite_enable=YES\nlocal_root={self.served}\nchroot_local_user=YES\n"
            "allow_writeable_chroot=YES\ncheck_shell=NO\npam_service_name=ftpfs-lab\nnopriv_user=nobody\n"
            f"secure_chroot_dir={self.folder}/empty\nseccomp_sandbox=NO\nisolate=NO\nisolate_network=NO\n"
            "use_localtime=NO\nxferlog_enable=NO\ntcp_wrappers=NO\nconnect_from_port_20=NO\nlocal_umask=022\n"
            # Its own default for sessions: data connections must resume them.
            + (f"ssl_enable=YES\nrsa_cert_file={self.pem}\nrsa_private_key_file={self.pem}\n" if self.tls else "")
        )
        return [LAB / "usr/sbin/vsftpd", conf]

    def proftpd(self):
        user = pwd.getpwnam(USER)
        users, groups, conf = (self.folder / name for name in ("users", "groups", "proftpd.conf"))
        users.write_text(f"{USER}:{self.hashed()}:{user.pw_uid}:{user.pw_gid}::{self.served}:/bin/false\n")
        groups.write_text(f"{USER}:x:{user.pw_gid}:\n")
        for file in (users, groups):
            file.chmod(0o600)
        # DelayEngine would slow every login down on purpose.
        conf.write_text(
            f"ModulePath {LAB}/usr/lib/proftpd\nLoadModule mod_facts.c\nServerName bench\nServerType standalone\n"
            f"DefaultServer on\nUseIPv6 off\nDefaultAddress {self.address}\nSocketBindTight on\nPort {self.port}\n"
            f"UseReverseDNS off\nUser {USER}\nGroup {USER}\nPidFile {self.folder}/proftpd.pid\n"
            f"ScoreboardFile {self.folder}/scoreboard\nSystemLog {self.folder}/proftpd.log\nTransferLog none\nWtmpLog off\n"
            f"DelayEngine off\nAuthOrder mod_auth_file.c\nAuthUserFile {users}\nAuthGroupFile {groups}\nAuthPAM off\n"
            f"RequireValidShell off\nDefaultRoot {self.served}\nUmask 022 022\nAllowOverwrite on\nAllowStoreRestart on\n"
            "AllowRetrieveRestart on\nMaxInstances none\nTimesGMT on\n"
            + (f"LoadModule mod_tls.c\nTLSEngine on\nTLSRequired on\nTLSRSACertificateFile {self.cert}\n"
               f"TLSRSACertificateKeyFile {self.pem}\n" if self.tls else "")
        )
        return [LAB / "usr/sbin/proftpd", "-n", "-q", "-c", conf]

    def pure_ftpd(self):
        user = pwd.getpwnam(USER)
        users, database = self.folder / "users", self.folder / "users.pdb"
        users.write_text(f"{USER}:{self.hashed()}:{user.pw_uid}:{user.pw_gid}::{self.served}/./::::::::::::\n")
        run([LAB / "usr/bin/pure-pw", "mkdb", database, "-f", users])
        words = f"-S {self.address},{self.port} -4 -A -E -H -l puredb:{database} -u 1 -c 500 -C 500 -L 10000000:1000"
        words += f" -Y 2 -2 {self.pem}" if self.tls else ""
        return [LAB / "usr/sbin/pure-ftpd", *words.split(), "-g", self.folder / "pure-ftpd.pid"]

    def hashed(self):
        # MD5 crypt, the cheapest: a login shall cost next to nothing in a measurement.
        return run(["perl", "-e", r'print crypt($ARGV[0], "\$1\$ftpfslab\$")', self.password]).stdout.strip()

    def wait_for_greeting(self):
        end = time.monotonic() + 20
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection((self.address, self.port), 5) as s:
                if s.recv(3) == b"220":
                    return
            time.sleep(0.02)
        self.stop()
        raise Failed(f"{self.name} does not answer; has scripts/setup run?")

    def url(self, path=""):
        return f"ftp://{USER}:{self.password}@{self.address}:{self.port}/{path}"

    def hand_over(self, path=""):
        run(["chown", "-R", f"{USER}:", self.served / path])

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def served(name, o, line=None):
    """A server of a new, empty folder; both go at the end."""
    here = Path(tempfile.mkdtemp(dir=o.folder))
    # It works as a user of its own and has to come through.
    here.chmod(0o755)
    (here / "served").mkdir()
    try:
        server = Server(name, here, o.tls, line)
        server.hand_over()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(here)
