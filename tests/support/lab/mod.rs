//! Real FTP servers on loopback, one per [`Lab`]: started with a folder to serve, gone when the value is dropped.
//!
//! `scripts/setup` puts the servers, their user and its password in place; this module writes a configuration into a
//! temporary folder, starts one and waits for its greeting. Each lab has a port and a passive range of its own, so tests
//! run side by side.
//!
//! [`Options`] says in general words how a server is to behave. `plan` has what all servers need for that, and each
//! server's module puts it into that server's words.

pub mod disk;
mod plan;
mod proftpd;
mod pure_ftpd;
mod pyftpdlib;
mod vsftpd;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::process::{self, PROGRAM_LIMIT, end_tree, stdout_of, wait_until};
use super::tls::{Certificate, Versions, authority};
use disk::SmallDisk;
use plan::{LabUser, Plan, Ports, USER};

/// The servers that `scripts/setup` provides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Software {
    /// Only `LIST`, with times to the minute or the day; `MDTM` for the rest.
    Vsftpd,
    /// `MLSD` without link targets and without dangling links.
    ProFtpd,
    /// `MLSD` without link targets.
    PureFtpd,
    /// `MLSD` that shows links as what they lead to.
    Pyftpdlib,
}

/// How a server is to behave.
///
/// What a server cannot do at all is refused by a panic: a test that asks for it is wrong about the server.
#[derive(Clone, Debug)]
pub struct Options {
    /// Loopback address to listen on.
    pub addr: IpAddr,
    /// Sessions at once; one more is refused. 0: no limit.
    pub max_clients: u32,
    /// After how many seconds an idle session is closed; Pure-FTPd rounds up to minutes. 0: after a day.
    pub idle: u32,
    /// Bits taken from what is uploaded.
    pub umask: u16,
    /// Encryption.
    pub tls: Tls,
    /// The server's certificate; `None`: a good one for this machine, signed by [`authority`].
    pub certificate: Option<Certificate>,
    /// TLS versions that the server speaks.
    pub versions: Versions,
    /// Data connections must resume the TLS session of the control connection (vsftpd, ProFTPD).
    pub session_reuse: bool,
    /// Clients must show a certificate of [`authority`] (not Pure-FTPd).
    pub client_certificate: bool,
    /// The server's time zone, `Asia/Tokyo`, in which it then also lists: in `LIST` all do, in `MDTM` vsftpd and
    /// pyftpdlib, in `MLSD` pyftpdlib. `None`: UTC. vsftpd takes today's offset for all dates.
    pub zone: Option<&'static str>,
    /// EPSV and PASV are known.
    pub passive: bool,
    /// The address in the answer to PASV, as behind a router; EPSV has none.
    pub masquerade: Option<Ipv4Addr>,
    /// The served folder is a disk of its own with room for so many bytes.
    pub disk: Option<u64>,
    /// What clients may do to what is there.
    pub allows: Allows,
}

/// What a server lets a client do that has logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allows {
    /// Any change at all (vsftpd, ProFTPD and pyftpdlib can forbid it).
    pub writing: bool,
    /// STOR and RNTO onto a file that is there (ProFTPD).
    pub overwriting: bool,
    /// APPE, and STOR after REST (ProFTPD; pyftpdlib forbids APPE alone).
    pub appending: bool,
    /// MFMT, or MDTM with a time (not Pure-FTPd).
    pub times: bool,
    /// SITE CHMOD.
    pub modes: bool,
    /// ProFTPD's modules for SITE SYMLINK, SITE UTIME, SITE MKDIR and SITE CPFR.
    pub site_commands: bool,
    /// Data connections to and from addresses that are not the client's.
    pub foreign_data: bool,
}

impl Default for Allows {
    fn default() -> Self {
        Self {
            writing: true,
            overwriting: true,
            appending: true,
            times: true,
            modes: true,
            site_commands: false,
            foreign_data: false,
        }
    }
}

/// Encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// None.
    Off,
    /// Whoever asks for it by AUTH TLS.
    Offered,
    /// AUTH TLS before any login, PROT P before any transfer.
    Required,
    /// From the first byte on (vsftpd, ProFTPD).
    Implicit,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            addr: Ipv4Addr::LOCALHOST.into(),
            max_clients: 0,
            idle: 0,
            umask: 0o022,
            tls: Tls::Off,
            certificate: None,
            versions: Versions::Both,
            session_reuse: false,
            client_certificate: false,
            zone: None,
            passive: true,
            masquerade: None,
            disk: None,
            allows: Allows::default(),
        }
    }
}

/// A running server. Dropping it ends the server and removes the folder that it served.
pub struct Lab {
    software: Software,
    tls: Tls,
    server: Child,
    command: Vec<String>,
    environment: Vec<(&'static str, String)>,
    address: SocketAddr,
    password: String,
    // Goes before the folder does that it is mounted in.
    disk: Option<SmallDisk>,
    folder: TempDir,
    _ports: Ports,
}

impl Lab {
    /// Starts a server for an empty folder.
    ///
    /// # Panics
    /// Where `scripts/setup` has not run, or the server does not greet in time.
    pub fn start(software: Software, options: &Options) -> Self {
        let user = LabUser::find();
        let ports = Ports::claim();
        let folder = tempfile::Builder::new().prefix("ftpfs-lab-").tempdir().expect("a temporary folder");
        // The server works as the lab's user and has to come through.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        fs::create_dir(folder.path().join("served")).expect("the folder is empty");
        let plan = Plan { user: &user, options, ports: &ports, folder: folder.path() };
        let disk = options.disk.map(|bytes| SmallDisk::mount(&plan.served(), bytes));
        plan.hand_over(&plan.served());
        // For clients, whether this server needs it or not.
        authority().save(folder.path());
        let command = match software {
            Software::Vsftpd => vsftpd::command(&plan),
            Software::ProFtpd => proftpd::command(&plan),
            Software::PureFtpd => pure_ftpd::command(&plan),
            Software::Pyftpdlib => pyftpdlib::command(&plan),
        };
        let address = SocketAddr::new(options.addr, ports.control());
        let environment = plan.environment();
        let server = spawn(&command, &environment, folder.path(), disk.as_ref());
        process::kill_on_overrun(server.id());
        let tls = options.tls;
        let password = user.password;
        let mut lab =
            Self { software, tls, server, command, environment, address, password, disk, folder, _ports: ports };
        lab.wait_for_greeting();
        lab
    }

    /// Which server it is.
    pub fn software(&self) -> Software {
        self.software
    }

    /// The served folder on this machine's disk.
    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("served")
    }

    /// The certificate of the authority that has signed the server's own, unless [`Options::certificate`] says
    /// otherwise.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A folder for files that shall go with the server.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The address of the control connection.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port of the control connection.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Whether it speaks TLS.
    pub fn is_encrypted(&self) -> bool {
        self.tls != Tls::Off
    }

    /// The user's name.
    pub fn user(&self) -> &'static str {
        USER
    }

    /// The user's password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The address of `path`, already percent-encoded, with user and password: `ftps://` where TLS is implicit.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.tls == Tls::Implicit { "ftps" } else { "ftp" };
        format!("{scheme}://{USER}:{}@{}/{}", self.password, self.address, path.trim_start_matches('/'))
    }

    /// Gives `path` and everything below it to the lab's user, as if it had been uploaded.
    pub fn hand_over(&self, path: &Path) {
        // -h: a link's own owner, never what it points to.
        stdout_of(Command::new("chown").args(["-hR", &format!("{USER}:")]).arg(path), PROGRAM_LIMIT);
    }

    /// Kills the server, and with it all that is under way; [`start_again`](Lab::start_again) brings it back.
    pub fn stop(&mut self) {
        process::forget(self.server.id());
        end_tree(self.server.id());
        self.server.wait().ok();
    }

    /// Starts the server again, where it was and with what was stored.
    pub fn start_again(&mut self) {
        self.server = spawn(&self.command, &self.environment, self.folder.path(), self.disk.as_ref());
        process::kill_on_overrun(self.server.id());
        self.wait_for_greeting();
    }

    /// Freezes the server with all its sessions: connections stay, and nothing is answered. Or lets it go on.
    pub fn freeze(&self, frozen: bool) {
        let how = if frozen { libc::SIGSTOP } else { libc::SIGCONT };
        let mut told = BTreeSet::new();
        // One that was just starting another when it was told has left that going.
        loop {
            let new: Vec<_> =
                process::descendants(self.server.id()).into_iter().filter(|pid| told.insert(*pid)).collect();
            if new.is_empty() {
                return;
            }
            new.into_iter().for_each(|pid| process::signal(pid, how));
        }
    }

    fn wait_for_greeting(&mut self) {
        wait_until(&format!("the greeting of {:?} at {}", self.software, self.address), START_LIMIT, || {
            if let Some(status) = self.server.try_wait().expect("the child is ours") {
                panic!("{:?} did not start ({status}):\n{}", self.software, self.log());
            }
            let stream = TcpStream::connect_timeout(&self.address, START_LIMIT).ok()?;
            if self.tls == Tls::Implicit {
                // It greets nobody who does not shake hands first.
                return Some(());
            }
            stream.set_read_timeout(Some(START_LIMIT)).ok()?;
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line).ok()?;
            line.starts_with("220").then_some(())
        });
    }

    /// What the server itself wrote to its standard output and error.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join(LOG)).unwrap_or_default()).into_owned()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        process::forget(self.server.id());
        end_tree(self.server.id());
        // A killed child is waited for at once; the error could only be that it has been already.
        self.server.wait().ok();
        drop(self.disk.take());
    }
}

/// Starts `command` in a process group of its own that ends with the server, with the [`Lab`] or with this process.
fn spawn(command: &[String], environment: &[(&str, String)], folder: &Path, disk: Option<&SmallDisk>) -> Child {
    // The shell leads the group and waits on a pipe that we hold and never write to: however this process ends, the
    // pipe closes and the group goes, and with it the disk that would stay mounted.
    const LEADER: &str = r#"exec 3<&0 </dev/null; disk=$1; shift; ("$@" 3<&-; kill -KILL 0) & read -r _ <&3;
        [ -z "$disk" ] || umount --lazy "$disk"; kill -KILL 0"#;
    let log = fs::File::create(folder.join(LOG)).expect("the folder is ours");
    let again = log.try_clone().expect("a second descriptor");
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", LEADER, "sh"])
        .arg(disk.map_or(Path::new(""), SmallDisk::path))
        .args(command)
        .current_dir("/")
        .process_group(0);
    shell.envs(environment.iter().map(|(name, value)| (name, value)));
    shell.stdin(Stdio::piped()).stdout(log).stderr(again).spawn().expect("/bin/sh runs")
}

const LOG: &str = "server.log";
/// A loaded machine takes seconds to load Python.
const START_LIMIT: Duration = Duration::from_secs(30);
