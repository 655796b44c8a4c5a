//! An FTP client of ours on a fake server.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use ftpfs::base::{Deadline, Recall, Secret, SystemClock};
use ftpfs::config::{Data, Family, Listing, Server, Tls, TlsMode};
use ftpfs::ftp::Client;
use ftpfs::ftp::socket::Network;
use ftpfs::remote::{Download, Entry, Remote, RemotePath, Result, Settings, Store, Stored};

use super::lab::Lab;
use super::server::FakeServer;

/// Ample for anything on loopback that works at all.
pub const AMPLE: Duration = Duration::from_secs(20);

/// How `server` is reached, with a timeout of [`AMPLE`].
pub fn config(server: &FakeServer) -> Server {
    let (user, password) = server.login();
    Server {
        host: server.addr().ip().to_string(),
        port: server.addr().port(),
        user: user.into_bytes(),
        password: Secret::new(password.into_bytes()),
        path: Vec::new(),
        family: Family::Any,
        timeout: AMPLE,
        connect_timeout: AMPLE,
        max_connections: 8,
        idle_timeout: Duration::from_secs(60),
        disable_epsv: false,
        disable_mlsd: false,
        account: None,
        // The scripted server speaks in the clear unless a test says otherwise.
        tls: Tls { mode: TlsMode::Off, ..Tls::default() },
        data: Data::default(),
        listing: Listing::default(),
    }
}

/// A client with `config`.
pub fn client_with(config: &Server) -> Client {
    Client::new(config, Box::new(Network { family: config.family }), Arc::new(SystemClock)).expect("no files are named")
}

/// A client that has logged in and has no other connection.
pub fn lone_client(server: &FakeServer) -> Client {
    let client = client_with(&Server { max_connections: 1, ..config(server) });
    client.enter(b"", soon()).expect("the login works");
    client
}

/// A client that has logged in.
pub fn client(server: &FakeServer) -> Client {
    let client = client_with(&config(server));
    client.enter(b"", soon()).expect("the login works");
    client
}

/// How the server of `lab` is reached: with TLS wherever it speaks it.
pub fn lab_config(lab: &Lab) -> Server {
    let mode = if lab.is_encrypted() { TlsMode::Require } else { TlsMode::Off };
    Server {
        host: lab.address().ip().to_string(),
        port: lab.port(),
        user: lab.user().into(),
        password: Secret::new(lab.password().into()),
        path: Vec::new(),
        family: Family::Any,
        timeout: AMPLE,
        connect_timeout: AMPLE,
        max_connections: 8,
        idle_timeout: Duration::from_secs(60),
        disable_epsv: false,
        disable_mlsd: false,
        account: None,
        tls: Tls { mode, cacert: Some(lab.ca()), ..Tls::default() },
        data: Data::default(),
        listing: Listing::default(),
    }
}

/// Stores `content` at `file`, written in pieces of `piece` bytes.
pub fn store(client: &Client, file: &str, content: &[u8], piece: usize, how: Store) -> Result<Stored> {
    let mut upload = client.upload(&path(file), how, &Arc::default(), soon())?;
    for piece in content.chunks(piece.max(1)) {
        upload.write(piece, soon())?;
    }
    upload.finish(&Settings::default(), soon())
}

/// A deadline that only a hang meets.
pub fn soon() -> Deadline {
    Deadline::after(AMPLE)
}

/// A path.
pub fn path(text: &str) -> RemotePath {
    RemotePath::new(text.as_bytes()).expect("a valid path")
}

/// All entries of a directory.
pub fn list(client: &Client, dir: &str) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    client.list(&path(dir), soon(), &mut |entry| {
        entries.push(entry);
        ControlFlow::Continue(())
    })?;
    Ok(entries)
}

/// The names in a directory, sorted.
pub fn names(client: &Client, dir: &str) -> Vec<String> {
    let mut names: Vec<_> = list(client, dir).expect("a listing").iter().map(|e| e.name.to_string()).collect();
    names.sort();
    names
}

/// Begins to read a file.
pub fn open(client: &Client, file: &str, from: u64) -> Result<Box<dyn Download>> {
    client.download(&path(file), from, &Arc::new(Recall::default()), soon())
}

/// Reads a file from a byte on to its end.
pub fn read(client: &Client, file: &str, from: u64) -> Result<Vec<u8>> {
    let mut download = open(client, file, from)?;
    let mut bytes = Vec::new();
    let mut buf = vec![0; 64 * 1024];
    loop {
        match download.read(&mut buf, soon())? {
            0 => break,
            n => bytes.extend_from_slice(&buf[..n]),
        }
    }
    download.finish(soon())?;
    Ok(bytes)
}
