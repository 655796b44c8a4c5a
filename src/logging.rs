//! Where the log goes: standard error, a file, or syslog.
//!
//! `env_logger` filters and hands each finished record to one writer in a single call. Syslog is that writer, too: a
//! datagram to `/dev/log`, which journald, rsyslog and busybox all read, is too little to need a crate for.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::{Level, LevelFilter, Record};

/// What is logged, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Nothing below this level.
    pub level: LevelFilter,
    /// The place.
    pub target: Target,
}

/// A place for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard error.
    Stderr,
    /// Append to this file, which is made readable for its owner only.
    File(PathBuf),
    /// The socket `/dev/log`.
    Syslog,
    /// The same where it exists, and nowhere else: for the background, where standard error leads nowhere.
    SyslogIfThere,
}

/// Starts the log. Call it once, in the process that stays.
///
/// # Errors
/// One line for the user: the file or socket cannot be opened.
pub fn start(settings: &Settings) -> Result<(), String> {
    let mut builder = env_logger::Builder::new();
    builder.filter_level(settings.level);
    if settings.level == LevelFilter::Debug {
        // fuser logs every request at debug, which drowns what the server said.
        builder.filter_module("fuser", LevelFilter::Info);
    }
    // Whoever was killed does not wait for its answer: no error of anybody.
    builder.filter_module(concat!("fuser", "::reply"), LevelFilter::Off);
    match &settings.target {
        Target::Stderr => {
            let timed = settings.level >= LevelFilter::Debug;
            builder.target(env_logger::Target::Stderr).format(move |out, record| {
                if timed {
                    writeln!(out, "{} {}", time(), line(record))
                } else {
                    writeln!(out, "ftpfs: {}", line(record))
                }
            });
        }
        Target::File(path) => {
            let file = File::options().append(true).create(true).mode(0o600).open(path);
            let file = file.map_err(|error| format!("log file {}: {error}", path.display()))?;
            builder.target(env_logger::Target::Pipe(Box::new(file)));
            builder.format(|out, record| writeln!(out, "{} {}", time(), line(record)));
        }
        Target::SyslogIfThere if !Path::new(SOCKET).exists() => return Ok(()),
        Target::Syslog | Target::SyslogIfThere => {
            let syslog = Syslog::open(Path::new(SOCKET)).map_err(|error| format!("syslog {SOCKET}: {error}"))?;
            builder.target(env_logger::Target::Pipe(Box::new(syslog)));
            let process = std::process::id();
            builder.format(move |out, record| {
                write!(out, "<{}>ftpfs[{process}]: {}", priority(record.level()), one_line(&record.args().to_string()))
            });
        }
    }
    builder.try_init().map_err(|error| error.to_string())
}

/// `text` with control characters made visible: what a server sends can neither begin a new line nor move the cursor.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

fn line(record: &Record<'_>) -> String {
    let level = match record.level() {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    };
    format!("{level}: {}", one_line(&record.args().to_string()))
}

/// UTC, so that lines of two machines can be laid side by side.
fn time() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

/// RFC 5424 6.2.1: facility "daemon" is 3.
fn priority(level: Level) -> u8 {
    3 << 3
        | match level {
            Level::Error => 3,
            Level::Warn => 4,
            Level::Info => 6,
            Level::Debug | Level::Trace => 7,
        }
}

const SOCKET: &str = "/dev/log";

/// A filesystem must not stand still because a log daemon does.
const SYSLOG_PATIENCE: Duration = Duration::from_millis(100);

/// Sends each write as one message.
struct Syslog {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Syslog {
    fn open(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(SYSLOG_PATIENCE))?;
        socket.connect(path)?;
        Ok(Self { socket, path: path.into() })
    }
}

impl Write for Syslog {
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        let Err(lost) = self.socket.send(message) else { return Ok(message.len()) };
        // A restarted daemon has a new socket under the old name.
        if matches!(lost.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotConnected) {
            *self = Self::open(&self.path)?;
            self.socket.send(message)?;
        }
        // Whatever else was lost is lost; there is no place to complain.
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_cannot_forge_log_lines() {
        assert_eq!(one_line("550 a\r\nerror: b\u{1b}[2J é"), "550 a\\r\\nerror: b\\u{1b}[2J é");
    }

    #[test]
    fn syslog_messages_survive_a_restart_of_the_daemon() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("log");
        let old = UnixDatagram::bind(&path).expect("bind");
        let mut syslog = Syslog::open(&path).expect("open");
        let received = |socket: &UnixDatagram| {
            let mut buffer = [0; 64];
            let len = socket.recv(&mut buffer).expect("receive");
            String::from_utf8_lossy(&buffer[..len]).into_owned()
        };
        syslog.write_all(b"<30>one").expect("send");
        assert_eq!(received(&old), "<30>one");
        drop(old);
        std::fs::remove_file(&path).expect("remove");
        let new = UnixDatagram::bind(&path).expect("bind again");
        syslog.write_all(b"<30>two").expect("send again");
        assert_eq!(received(&new), "<30>two");
    }
}
