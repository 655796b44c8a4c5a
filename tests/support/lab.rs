//! Real FTP servers on loopback, one per [`Lab`]: started with a folder to serve, gone when the value is dropped.
//!
//! `scripts/setup` puts the servers, their user and its password in place; this module writes a configuration into a
//! temporary folder, starts one and waits for its greeting. Each lab has a port and a passive range of its own, so tests
//! run side by side.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::process::{self, PROGRAM_LIMIT, end_tree, stdout_of, wait_until};

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
}

impl Default for Options {
    fn default() -> Self {
        Self { addr: Ipv4Addr::LOCALHOST.into(), max_clients: 0, idle: 0, umask: 0o022 }
    }
}

/// A running server. Dropping it ends the server and removes the folder that it served.
pub struct Lab {
    software: Software,
    server: Child,
    address: SocketAddr,
    password: String,
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
        plan.hand_over(&plan.served());
        let command = match software {
            Software::Vsftpd => plan.vsftpd(),
            Software::ProFtpd => plan.proftpd(),
            Software::PureFtpd => plan.pure_ftpd(),
            Software::Pyftpdlib => plan.pyftpdlib(),
        };
        let address = SocketAddr::new(options.addr, ports.control());
        let server = spawn(&command, folder.path());
        process::kill_on_overrun(server.id());
        let mut lab = Self { software, server, address, password: user.password, folder, _ports: ports };
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

    /// The port of the control connection.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The user's name.
    pub fn user(&self) -> &'static str {
        USER
    }

    /// The user's password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The address of `path`, already percent-encoded, with user and password.
    pub fn url(&self, path: &str) -> String {
        format!("ftp://{USER}:{}@{}/{}", self.password, self.address, path.trim_start_matches('/'))
    }

    /// Gives `path` and everything below it to the lab's user, as if it had been uploaded.
    pub fn hand_over(&self, path: &Path) {
        // -h: a link's own owner, never what it points to.
        stdout_of(Command::new("chown").args(["-hR", &format!("{USER}:")]).arg(path), PROGRAM_LIMIT);
    }

    fn wait_for_greeting(&mut self) {
        wait_until(&format!("the greeting of {:?} at {}", self.software, self.address), START_LIMIT, || {
            if let Some(status) = self.server.try_wait().expect("the child is ours") {
                panic!("{:?} did not start ({status}):\n{}", self.software, self.log());
            }
            let stream = TcpStream::connect_timeout(&self.address, START_LIMIT).ok()?;
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
    }
}

/// Starts `command` in a process group of its own that ends with the server, with the [`Lab`] or with this process.
fn spawn(command: &[String], folder: &Path) -> Child {
    // The shell leads the group and waits on a pipe that we hold and never write to: however this process ends, the
    // pipe closes and the group goes.
    const LEADER: &str = r#"exec 3<&0 </dev/null; ("$@" 3<&-; kill -KILL 0) & read -r _ <&3; kill -KILL 0"#;
    let log = fs::File::create(folder.join(LOG)).expect("the folder is ours");
    let again = log.try_clone().expect("a second descriptor");
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", LEADER, "sh"]).args(command).current_dir("/").process_group(0);
    shell.stdin(Stdio::piped()).stdout(log).stderr(again).spawn().expect("/bin/sh runs")
}

/// The system user that serves and logs in.
struct LabUser {
    uid: u32,
    gid: u32,
    password: String,
    /// Where the servers are.
    home: PathBuf,
}

impl LabUser {
    fn find() -> Self {
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
struct Plan<'a> {
    user: &'a LabUser,
    options: &'a Options,
    ports: &'a Ports,
    folder: &'a Path,
}

impl Plan<'_> {
    fn served(&self) -> PathBuf {
        self.folder.join("served")
    }

    fn hand_over(&self, path: &Path) {
        std::os::unix::fs::chown(path, Some(self.user.uid), Some(self.user.gid)).expect("root may");
    }

    /// A program that `scripts/setup` has unpacked.
    fn program(&self, path: &str) -> String {
        let path = self.user.home.join(path);
        assert!(path.exists(), "{} is missing: run scripts/setup", path.display());
        in_text(&path)
    }

    /// Writes a configuration file that only root can read: some hold the password.
    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        fs::write(&path, text).expect("the folder is ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("the file is ours");
        in_text(&path)
    }

    /// The password as the servers with a user list of their own want it.
    fn hash(&self) -> String {
        const CRYPT: &str = r#"print crypt($ARGV[0], "\$1\$ftpfslab\$")"#;
        let hash = stdout_of(&mut process::command("perl", ["-e", CRYPT, &self.user.password]), PROGRAM_LIMIT);
        String::from_utf8(hash).expect("a hash is ASCII")
    }

    /// Seconds until an idle session is closed; none of the servers takes "never" in the same way.
    fn idle(&self) -> u32 {
        if self.options.idle == 0 { 24 * 60 * 60 } else { self.options.idle }
    }

    fn vsftpd(&self) -> Vec<String> {
        let empty = self.folder.join("empty");
        fs::create_dir(&empty).expect("the folder is ours");
        let (addr, clients, idle) = (self.options.addr, self.options.max_clients, self.idle());
        let (v4, v6, listen) = match addr {
            IpAddr::V4(_) => ("YES", "NO", "listen_address"),
            IpAddr::V6(_) => ("NO", "YES", "listen_address6"),
        };
        let (low, high) = self.ports.passive();
        // isolate and seccomp_sandbox cost a namespace per session and fail in containers; use_localtime=NO is
        // vsftpd's own default (MDTM in UTC), which Debian's file turns round.
        let text = format!(
            "listen={v4}\nlisten_ipv6={v6}\n{listen}={addr}\nlisten_port={port}\nbackground=NO\n\
             anonymous_enable=NO\nlocal_enable=YES\nwrite_enable=YES\nlocal_umask=0{umask:o}\nfile_open_mode=0666\n\
             local_root={served}\nchroot_local_user=YES\nallow_writeable_chroot=YES\ncheck_shell=NO\n\
             pam_service_name={PAM_SERVICE}\nsecure_chroot_dir={empty}\nnopriv_user=nobody\n\
             seccomp_sandbox=NO\nisolate=NO\nisolate_network=NO\nmdtm_write=YES\nuse_localtime=NO\n\
             dirmessage_enable=NO\nconnect_from_port_20=NO\nxferlog_enable=NO\ntcp_wrappers=NO\n\
             pasv_min_port={low}\npasv_max_port={high}\nmax_clients={clients}\nmax_per_ip={clients}\n\
             idle_session_timeout={idle}\ndata_connection_timeout={idle}\n",
            port = self.ports.control(),
            umask = self.options.umask,
            served = in_text(&self.served()),
            empty = in_text(&empty),
        );
        vec![self.program("usr/sbin/vsftpd"), self.write("vsftpd.conf", &text)]
    }

    fn proftpd(&self) -> Vec<String> {
        let LabUser { uid, gid, home, .. } = self.user;
        let (served, folder) = (in_text(&self.served()), in_text(self.folder));
        let users = self.write("passwd", &format!("{USER}:{}:{uid}:{gid}::{served}:/bin/false\n", self.hash()));
        let groups = self.write("group", &format!("{USER}:x:{gid}:\n"));
        let limit = match self.options.max_clients {
            0 => String::new(),
            n => format!("MaxClients {n}\nMaxClientsPerHost {n}\n"),
        };
        let (low, high) = self.ports.passive();
        // DelayEngine would slow every login down on purpose.
        let text = format!(
            "ModulePath {modules}\nLoadModule mod_facts.c\nServerName lab\nServerType standalone\nDefaultServer on\n\
             UseIPv6 {v6}\nDefaultAddress {addr}\nSocketBindTight on\nPort {port}\nUseReverseDNS off\n\
             User {USER}\nGroup {USER}\nPidFile {folder}/proftpd.pid\nScoreboardFile {folder}/scoreboard\n\
             SystemLog {folder}/proftpd.log\nTransferLog none\nWtmpLog off\nDelayEngine off\n\
             AuthOrder mod_auth_file.c\nAuthUserFile {users}\nAuthGroupFile {groups}\nAuthPAM off\n\
             RequireValidShell off\nDefaultRoot {served}\nUmask 0{umask:o} 0{umask:o}\nAllowOverwrite on\n\
             AllowStoreRestart on\nAllowRetrieveRestart on\nPassivePorts {low} {high}\nMaxInstances none\n\
             TimesGMT on\nTimeoutIdle {idle}\nTimeoutNoTransfer {idle}\nTimeoutStalled 0\nTimeoutLogin 300\n{limit}",
            modules = in_text(&home.join("usr/lib/proftpd")),
            v6 = if self.options.addr.is_ipv6() { "on" } else { "off" },
            addr = self.options.addr,
            port = self.ports.control(),
            umask = self.options.umask,
            idle = self.idle(),
        );
        let conf = self.write("proftpd.conf", &text);
        vec![self.program("usr/sbin/proftpd"), "-n".into(), "-q".into(), "-c".into(), conf]
    }

    fn pure_ftpd(&self) -> Vec<String> {
        let LabUser { uid, gid, .. } = self.user;
        let (served, folder) = (in_text(&self.served()), in_text(self.folder));
        let line = format!("{USER}:{}:{uid}:{gid}::{served}/./::::::::::::\n", self.hash());
        let users = self.write("pureftpd.passwd", &line);
        let database = format!("{folder}/pureftpd.pdb");
        let pure_pw = self.program("usr/bin/pure-pw");
        stdout_of(&mut process::command(&pure_pw, ["mkdb", &database, "-f", &users]), PROGRAM_LIMIT);
        let clients = if self.options.max_clients == 0 { 5000 } else { self.options.max_clients };
        let (umask, (low, high)) = (self.options.umask, self.ports.passive());
        // -A chroot, -E no anonymous users, -H no DNS, -u 1 lowest uid, -L listings of more than 10,000 names.
        let text = format!(
            "-S {addr},{port} {family} -A -E -H -l puredb:{database} -u 1 -U {umask:o}:{umask:o} -p {low}:{high} \
             -c {clients} -C {clients} -I {minutes} -L 10000000:1000 -g {folder}/pure-ftpd.pid",
            addr = self.options.addr,
            port = self.ports.control(),
            family = if self.options.addr.is_ipv6() { "-6" } else { "-4" },
            minutes = self.idle().div_ceil(60),
        );
        let program = self.program("usr/sbin/pure-ftpd");
        std::iter::once(program).chain(text.split_ascii_whitespace().map(str::to_owned)).collect()
    }

    fn pyftpdlib(&self) -> Vec<String> {
        let (low, high) = self.ports.passive();
        let text = format!(
            "addr={}\nport={}\nlow={low}\nhigh={high}\nserved={}\nuid={}\ngid={}\nidle={}\nclients={}\numask={}\n\
             user={USER}\npassword={}\n",
            self.options.addr,
            self.ports.control(),
            in_text(&self.served()),
            self.user.uid,
            self.user.gid,
            self.idle(),
            self.options.max_clients,
            self.options.umask,
            self.user.password,
        );
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/pyftpd.py").to_owned();
        vec![self.program("py/bin/python"), script, self.write("pyftpd.conf", &text)]
    }
}

/// A block of ports that no other lab uses, in this process or another.
struct Ports {
    /// Holds the first port of the block for as long as the lab lives: that is the claim.
    guard: TcpListener,
}

impl Ports {
    /// Takes the first free block. They lie below the ports that the kernel gives to clients (32768 and up).
    fn claim() -> Self {
        let guard = (FIRST_PORT..LAST_PORT)
            .step_by(usize::from(PORTS_PER_LAB))
            .find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
        Self { guard: guard.expect("one of the port blocks is free") }
    }

    fn first(&self) -> u16 {
        self.guard.local_addr().expect("a listener has an address").port()
    }

    fn control(&self) -> u16 {
        self.first() + 1
    }

    fn passive(&self) -> (u16, u16) {
        (self.first() + 2, self.first() + PORTS_PER_LAB - 1)
    }
}

/// `path` for a configuration file; temporary folders with a blank in their names are not supported there.
fn in_text(path: &Path) -> String {
    let text = path.to_str().expect("a plain path");
    assert!(!text.contains(char::is_whitespace), "{text}: the servers' configurations cannot hold blanks");
    text.to_owned()
}

const USER: &str = "ftpfslab";
const PASSWORD_FILE: &str = "/etc/ftpfs-lab.password";
const PAM_SERVICE: &str = "ftpfs-lab";
const LOG: &str = "server.log";
/// A loaded machine takes seconds to load Python.
const START_LIMIT: Duration = Duration::from_secs(30);
const FIRST_PORT: u16 = 20_000;
const LAST_PORT: u16 = 32_000;
/// Enough for dozens of data connections at once, most of them waiting.
const PORTS_PER_LAB: u16 = 200;
