//! What a mount is to do, typed: no strings left to parse, no clap.

use std::path::PathBuf;
use std::time::Duration;

use crate::base::Secret;

/// Everything that [`app::run`](crate::app::run) needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server and how to talk to it.
    pub server: Server,
    /// What files look like and how long is believed what was heard of them.
    pub files: Files,
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
}

/// Where and how the kernel mounts it.
#[derive(Clone, Debug)]
pub struct Mount {
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
