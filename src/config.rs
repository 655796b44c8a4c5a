//! What a mount is to do, typed: no strings left to parse, no clap.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use encoding_rs::Encoding;
use jiff::tz::TimeZone;

use crate::base::Secret;

/// Everything that [`app::run`](crate::app::run) needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server and how to talk to it.
    pub server: Server,
    /// What files look like and how long is believed what was heard of them.
    pub files: Files,
    /// How files are written.
    pub write: Write,
    /// Where and how the kernel mounts it.
    pub mount: Mount,
}

/// The server and how to talk to it.
#[derive(Clone, Debug)]
pub struct Server {
    /// Host name or address, without the brackets of an IPv6 literal.
    pub host: String,
    /// TCP port of the control connection.
    pub port: u16,
    /// User name as sent in `USER`.
    pub user: Vec<u8>,
    /// What `PASS` sends.
    pub password: Secret,
    /// What `ACCT` sends to a server that asks for an account (RFC 959 4.1.1).
    pub account: Option<Secret>,
    /// Directory to mount, decoded: relative to the login directory, unless it begins with `/`.
    pub path: Vec<u8>,
    /// Which addresses may be used.
    pub family: Family,
    /// How long any request may take, and how long a transfer may stay silent.
    pub timeout: Duration,
    /// How long a TCP connect may take; never longer than `timeout`.
    pub connect_timeout: Duration,
    /// Most control connections at once, at least 1.
    pub max_connections: usize,
    /// After how long an unused connection is closed.
    pub idle_timeout: Duration,
    /// Never send `EPSV`.
    pub disable_epsv: bool,
    /// Never send `MLSD` and `MLST`.
    pub disable_mlsd: bool,
    /// Whether and how connections are encrypted.
    pub tls: Tls,
    /// How data connections come about.
    pub data: Data,
    /// How names and listings are read.
    pub listing: Listing,
}

/// Whether and how connections are encrypted (RFC 4217).
#[derive(Clone, Debug)]
pub struct Tls {
    /// When.
    pub mode: TlsMode,
    /// The control connection alone is encrypted: `PROT C`.
    pub clear_data: bool,
    /// PEM file with the authorities to believe, in place of the system's.
    pub cacert: Option<PathBuf>,
    /// Directory of PEM files with authorities to believe, in place of the system's.
    pub capath: Option<PathBuf>,
    /// PEM file with the certificate that we show to the server, and perhaps its key.
    pub cert: Option<PathBuf>,
    /// PEM file with the key of `cert`, where it has a file of its own.
    pub key: Option<PathBuf>,
    /// SHA-256 fingerprints of certificates to accept, whoever signed them; no other one is accepted then.
    pub pins: Vec<[u8; 32]>,
    /// The certificate must name the host that was asked for.
    pub verify_name: bool,
    /// The certificate must come from an authority that we believe, and be valid today.
    pub verify_peer: bool,
    /// Which versions of TLS may be spoken.
    pub versions: TlsVersions,
}

impl Tls {
    /// Whether something is said of certificates that are good, on either side.
    pub fn names_certificates(&self) -> bool {
        self.cacert.is_some() || self.capath.is_some() || self.cert.is_some() || !self.pins.is_empty()
    }
}

/// When connections are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// Never.
    Off,
    /// Where the server can: `AUTH TLS` is asked for, and only its refusal leads to clear text.
    Try,
    /// Always, from `AUTH TLS` on.
    Require,
    /// Always, from the first byte on, as on port 990.
    Implicit,
}

/// Versions of TLS that may be spoken; older ones are unsafe and unknown here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersions {
    /// TLS 1.2 (RFC 5246) or 1.3 (RFC 8446).
    Any,
    /// Only TLS 1.2.
    Only12,
    /// Only TLS 1.3.
    Only13,
}

/// How data connections come about.
#[derive(Clone, Debug)]
pub struct Data {
    /// Who connects to whom.
    pub mode: DataMode,
    /// The address that `EPRT` and `PORT` tell the server.
    pub advertise: Advertise,
    /// The ports to listen on; any that the system gives where None.
    pub ports: Option<RangeInclusive<u16>>,
    /// Never send `EPRT`, always `PORT`.
    pub disable_eprt: bool,
    /// Connect to the address in a 227; otherwise always to the control connection's peer.
    pub trust_pasv_address: bool,
}

/// Who connects to whom for data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataMode {
    /// We to the server by `EPSV` or `PASV`; the server to us where it refuses both.
    Auto,
    /// Always we to the server.
    Passive,
    /// Always the server to us.
    Active,
}

/// Which address of ours the server is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advertise {
    /// The one that the control connection comes from.
    Own,
    /// This one: ours, or that of the router that passes connections on.
    Address(IpAddr),
    /// That of this network interface or host name.
    Named(String),
}

/// How names and listings are read.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The encoding of names; found out where None.
    pub encoding: Option<&'static Encoding>,
    /// The time zone of LIST; found out where None.
    pub timezone: Option<TimeZone>,
    /// What to send in place of `LIST -a`.
    pub command: Option<Vec<u8>>,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            mode: TlsMode::Try,
            clear_data: false,
            cacert: None,
            capath: None,
            cert: None,
            key: None,
            pins: Vec::new(),
            verify_name: true,
            verify_peer: true,
            versions: TlsVersions::Any,
        }
    }
}

impl Default for Data {
    fn default() -> Self {
        Self {
            mode: DataMode::Auto,
            advertise: Advertise::Own,
            ports: None,
            disable_eprt: false,
            trust_pasv_address: false,
        }
    }
}

/// Address families to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// As the resolver orders them.
    Any,
    /// Only IPv4.
    V4,
    /// Only IPv6.
    V6,
}

/// What files look like and how long is believed what was heard of them.
#[derive(Clone, Debug)]
pub struct Files {
    /// Owner of everything.
    pub uid: u32,
    /// Group of everything.
    pub gid: u32,
    /// Permission bits taken from every file, where set instead of the server's modes.
    pub file_mask: Option<u16>,
    /// Permission bits taken from every directory, where set instead of the server's modes.
    pub dir_mask: Option<u16>,
    /// How long attributes are believed.
    pub attr_ttl: Duration,
    /// How long a directory's listing is believed.
    pub dir_ttl: Duration,
    /// How long the absence of a name is believed.
    pub negative_ttl: Duration,
    /// Memory for file content on its way, in bytes, over all files.
    pub memory: usize,
    /// Where content is kept for later mounts, if anywhere.
    pub cache: Option<DiskCache>,
}

/// Where content is kept for later mounts.
#[derive(Clone, Debug)]
pub struct DiskCache {
    /// The local directory, made where it is missing; other mounts may use it, too.
    pub dir: PathBuf,
    /// Most bytes in it.
    pub limit: u64,
    /// What tells the server's files from those of others: host, port and user.
    pub server: String,
}

/// How files are written.
#[derive(Clone, Debug)]
pub struct Write {
    /// How a file with content gets new content.
    pub upload: UploadWay,
    /// The local directory for what is on its way to the server: not below the mountpoint, on a disk rather than in
    /// memory. Made where it is missing.
    pub spool: PathBuf,
    /// Most bytes in it; as many as its disk has where None.
    pub spool_limit: Option<u64>,
    /// close(2) returns when the data is safe on this machine; it travels later.
    pub writeback: bool,
    /// What tells this mount's journal from others: the URL, without a password.
    pub identity: String,
    /// Uploads that may run at once behind closed files.
    pub parallel: usize,
    /// How long a closed file waits before it is sent, unless somebody waits for it: programs set its times and rename it
    /// right then, which costs nothing as long as the server has seen nothing of it.
    pub ripens: Duration,
    /// How long the end of the mount waits for what is still to be stored.
    pub drain_timeout: Duration,
    /// Symlinks are files of the format that Minshall and French have made up, where the server has none.
    pub mfsymlinks: bool,
    /// What a program is told that sets what the server cannot keep.
    pub perms: Perms,
}

impl Write {
    /// What is so unless somebody wants it otherwise, with a spool in the directory `spool`.
    pub fn new(spool: PathBuf) -> Self {
        Self {
            upload: UploadWay::Auto,
            spool,
            spool_limit: None,
            writeback: false,
            identity: String::new(),
            parallel: 1,
            ripens: Duration::from_millis(100),
            drain_timeout: Duration::from_secs(60),
            mfsymlinks: false,
            perms: Perms::Ignore,
        }
    }
}

/// How a file with content gets new content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadWay {
    /// Under a temporary name that then replaces it, in place where the server does not allow that; a new file in place.
    Auto,
    /// Always in place: the old content is gone as soon as the upload begins.
    InPlace,
    /// Always under a temporary name, also a new file.
    Atomic,
}

/// What a program is told that sets what the server cannot keep: owners, modes, times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Perms {
    /// It is done; the log says once that it is not.
    Ignore,
    /// It is not permitted.
    Strict,
}

/// Where and how the kernel mounts it.
#[derive(Clone, Debug)]
pub struct Mount {
    /// Nothing may be changed.
    pub read_only: bool,
    /// The directory to mount on, absolute.
    pub mountpoint: PathBuf,
    /// Shown as the source in `mount` and `df`; holds no password.
    pub source: String,
    /// Other users may use the mount, too.
    pub allow_other: bool,
    /// Root may use the mount, too.
    pub allow_root: bool,
    /// The kernel checks permission bits.
    pub default_permissions: bool,
    /// Set-user-id bits count.
    pub suid: bool,
    /// Devices may be opened.
    pub dev: bool,
    /// Programs may be run.
    pub exec: bool,
    /// Threads that take requests from the kernel, 1 to 64.
    pub threads: usize,
}
