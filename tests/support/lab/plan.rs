//! What every server needs: a user, ports, files in the temporary folder, certificates.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::super::process::{self, PROGRAM_LIMIT, stdout_of};
use super::super::tls::{Saved, Versions, Wish, authority};
use super::{Options, Tls};

/// The system user that serves and logs in.
pub(super) struct LabUser {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) password: String,
    /// Where the servers are.
    pub(super) home: PathBuf,
}

impl LabUser {
    pub(super) fn find() -> Self {
        let home = PathBuf::from(std::env::var_os("FTPFS_LAB").unwrap_or_else(|| "/opt/ftpfs-lab".into()));
        let me = fs::metadata("/proc/self").expect("/proc is mounted").uid();
        assert!(me == 0, "FTP servers can be started by root only: run scripts/test as root");
        let passwd = fs::read_to_string("/etc/passwd").expect("/etc/passwd can be read");
        let line = passwd.lines().find_map(|line| line.strip_prefix(USER)?.strip_prefix(':'));
        let ids: Vec<u32> = line.iter().flat_map(|l| l.split(':').skip(1).take(2)).flat_map(str::parse).collect();
        let (&[uid, gid], Ok(password)) = (&ids[..], fs::read_to_string(PASSWORD_FILE)) else {
            panic!("the user {USER} is not there: run scripts/setup");
        };
        Self { uid, gid, password: password.trim().to_owned(), home }
    }
}

/// What a server is told: where to listen, what to serve, how.
pub(super) struct Plan<'a> {
    pub(super) user: &'a LabUser,
    pub(super) options: &'a Options,
    pub(super) ports: &'a Ports,
    pub(super) folder: &'a Path,
}

impl Plan<'_> {
    pub(super) fn served(&self) -> PathBuf {
        self.folder.join("served")
    }

    pub(super) fn hand_over(&self, path: &Path) {
        std::os::unix::fs::chown(path, Some(self.user.uid), Some(self.user.gid)).expect("root may");
    }

    /// A program that `scripts/setup` has unpacked.
    pub(super) fn program(&self, path: &str) -> String {
        let path = self.user.home.join(path);
        assert!(path.exists(), "{} is missing: run scripts/setup", path.display());
        in_text(&path)
    }

    /// Writes a configuration file that only root can read: some hold the password.
    pub(super) fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        fs::write(&path, text).expect("the folder is ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("the file is ours");
        in_text(&path)
    }

    /// The password as the servers with a user list of their own want it.
    pub(super) fn hash(&self) -> String {
        const CRYPT: &str = r#"print crypt($ARGV[0], "\$1\$ftpfslab\$")"#;
        let hash = stdout_of(&mut process::command("perl", ["-e", CRYPT, &self.user.password]), PROGRAM_LIMIT);
        String::from_utf8(hash).expect("a hash is ASCII")
    }

    /// Seconds until an idle session is closed; none of the servers takes "never" in the same way.
    pub(super) fn idle(&self) -> u32 {
        if self.options.idle == 0 { 24 * 60 * 60 } else { self.options.idle }
    }

    /// The certificate that the server shows, in files; `None` where it speaks no TLS.
    pub(super) fn certificate(&self) -> Option<Saved> {
        if self.options.tls == Tls::Off {
            return None;
        }
        let chosen = self.options.certificate.clone();
        Some(chosen.unwrap_or_else(|| authority().issue(&Wish::default())).save(self.folder, "server"))
    }

    /// The authority that client certificates must come from, where they are wanted.
    pub(super) fn client_ca(&self) -> Option<String> {
        self.options.client_certificate.then(|| in_text(&self.folder.join("ca.pem")))
    }

    /// Variables for the server's process.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![("TZ", self.options.zone.unwrap_or("UTC0").to_owned())];
        // Only ProFTPD and pyftpdlib can be told; this tells the library of all.
        let only = match self.options.versions {
            Versions::Both => return variables,
            Versions::Only12 => "TLSv1.2",
            Versions::Only13 => "TLSv1.3",
        };
        let text = format!(
            "openssl_conf = all\n[all]\nssl_conf = tls\n[tls]\nsystem_default = versions\n\
             [versions]\nMinProtocol = {only}\nMaxProtocol = {only}\n"
        );
        variables.push(("OPENSSL_CONF", self.write("openssl.cnf", &text)));
        variables
    }
}

/// A block of ports that no other lab uses, in this process or another.
pub(super) struct Ports {
    /// Holds the first port of the block for as long as the lab lives: that is the claim.
    guard: TcpListener,
}

impl Ports {
    /// Takes the first free block. They lie below the ports that the kernel gives to clients (32768 and up).
    pub(super) fn claim() -> Self {
        let guard = (FIRST_PORT..LAST_PORT)
            .step_by(usize::from(PORTS_PER_LAB))
            .find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
        Self { guard: guard.expect("one of the port blocks is free") }
    }

    fn first(&self) -> u16 {
        self.guard.local_addr().expect("a listener has an address").port()
    }

    pub(super) fn control(&self) -> u16 {
        self.first() + 1
    }

    pub(super) fn passive(&self) -> (u16, u16) {
        (self.first() + 2, self.first() + PORTS_PER_LAB - 1)
    }
}

/// `path` for a configuration file; temporary folders with a blank in their names are not supported there.
pub(super) fn in_text(path: &Path) -> String {
    let text = path.to_str().expect("a plain path");
    assert!(!text.contains(char::is_whitespace), "{text}: the servers' configurations cannot hold blanks");
    text.to_owned()
}

pub(super) const USER: &str = "ftpfslab";
pub(super) const PAM_SERVICE: &str = "ftpfs-lab";
const PASSWORD_FILE: &str = "/etc/ftpfs-lab.password";
const FIRST_PORT: u16 = 20_000;
const LAST_PORT: u16 = 32_000;
/// Enough for dozens of data connections at once, most of them waiting.
const PORTS_PER_LAB: u16 = 200;
