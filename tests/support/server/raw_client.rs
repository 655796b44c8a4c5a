//! A client that is made of sockets alone: it proves what the fake server does, and it can play a second client beside
//! a mount. It panics where a test would.

use super::super::tls::{Versions, authority, provider};
use super::FakeServer;
use rustls::client::{ClientConfig, ClientConnection};
use rustls::pki_types::ServerName;
use rustls::{RootCertStore, StreamOwned};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Everything here is on loopback; who needs longer hangs.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A client that knows nothing but sockets.
pub struct Client {
    /// The control connection.
    pub control: BufReader<Wire>,
    /// How data connections are encrypted: with this, where PROT P was said.
    pub data: Option<Arc<ClientConfig>>,
}

/// A connection, encrypted or not.
pub enum Wire {
    /// Not.
    Clear(TcpStream),
    /// By TLS.
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    /// On the way from one to the other.
    Gone,
}

impl Wire {
    /// The socket.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Clear(socket) => socket,
            Self::Tls(tls) => &tls.sock,
            Self::Gone => unreachable!("only while TLS begins"),
        }
    }

    /// Begins TLS; the handshake happens with the first bytes.
    pub fn secure(self, config: &Arc<ClientConfig>) -> Self {
        let Self::Clear(socket) = self else { unreachable!("TLS begins once") };
        let name = ServerName::try_from("localhost").expect("a name");
        let tls = ClientConnection::new(Arc::clone(config), name).expect("the configuration is complete");
        Self::Tls(Box::new(StreamOwned::new(tls, socket)))
    }

    /// Says that no more comes.
    pub fn finish(&mut self) -> io::Result<()> {
        if let Self::Tls(tls) = self {
            tls.conn.send_close_notify();
        }
        self.flush()?;
        self.socket().shutdown(Shutdown::Write)
    }

    /// Completes the handshake.
    pub fn shake(&mut self) -> io::Result<()> {
        let Self::Tls(tls) = self else { return Ok(()) };
        while tls.conn.is_handshaking() {
            tls.conn.complete_io(&mut tls.sock)?;
        }
        Ok(())
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(socket) => socket.read(buf),
            Self::Tls(tls) => tls.read(buf),
            Self::Gone => Ok(0),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(socket) => socket.write(buf),
            Self::Tls(tls) => tls.write(buf),
            Self::Gone => Ok(0),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(socket) => socket.flush(),
            Self::Tls(tls) => tls.flush(),
            Self::Gone => Ok(()),
        }
    }
}

/// What a client of ours says in handshakes: it trusts [`authority`] and resumes the sessions of whoever shares it.
pub fn tls(versions: Versions) -> Arc<ClientConfig> {
    tls_trusting(versions, authority().roots())
}

/// The same for those who trust others.
pub fn tls_trusting(versions: Versions, roots: RootCertStore) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions.known());
    Arc::new(config.expect("ring speaks all versions").with_root_certificates(roots).with_no_client_auth())
}

impl Client {
    /// Connected; the greeting is not read.
    pub fn connect(server: &FakeServer) -> Self {
        let control = TcpStream::connect(server.addr()).unwrap();
        control.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { control: BufReader::new(Wire::Clear(control)), data: None }
    }

    /// Connected, with TLS from the first byte; the greeting is not read.
    pub fn connect_implicit(server: &FakeServer, config: &Arc<ClientConfig>) -> Self {
        let mut client = Self::connect(server);
        client.secure(config).unwrap();
        client
    }

    /// Connected, encrypted and logged in, in binary mode, with PROT P.
    pub fn login_secure(server: &FakeServer, config: &Arc<ClientConfig>) -> Self {
        let mut client = Self::connect(server);
        assert!(client.reply().starts_with("220"));
        client.auth(config).unwrap();
        client.send("USER user\r\nPASS pass\r\nTYPE I\r\nPBSZ 0\r\nPROT P\r\n");
        let codes: Vec<_> = (0..5).map(|_| client.reply()[..3].to_owned()).collect();
        assert_eq!(codes, ["331", "230", "200", "200", "200"]);
        client
    }

    /// AUTH TLS and the handshake.
    pub fn auth(&mut self, config: &Arc<ClientConfig>) -> io::Result<()> {
        let reply = self.ask("AUTH TLS");
        assert!(reply.starts_with("234"), "{reply}");
        self.secure(config)
    }

    /// Begins TLS on the control connection, and the same on data connections.
    pub fn secure(&mut self, config: &Arc<ClientConfig>) -> io::Result<()> {
        assert!(self.control.buffer().is_empty(), "in clear: {:?}", self.control.buffer());
        let clear = std::mem::replace(self.control.get_mut(), Wire::Gone);
        let mut wire = clear.secure(config);
        let shaken = wire.shake();
        *self.control.get_mut() = wire;
        self.data = Some(Arc::clone(config));
        shaken
    }

    /// Connected, greeted and logged in, in binary mode.
    pub fn login(server: &FakeServer) -> Self {
        let mut client = Self::connect(server);
        client.send("USER user\r\nPASS pass\r\nTYPE I\r\n");
        let codes: Vec<_> = (0..4).map(|_| client.reply()[..3].to_owned()).collect();
        assert_eq!(codes, ["220", "331", "230", "200"]);
        client
    }

    /// Sends these very bytes on the control connection.
    pub fn send(&mut self, text: &str) {
        self.send_bytes(text.as_bytes());
    }

    /// The same for what is no text.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.control.get_mut().write_all(bytes).unwrap();
        self.control.get_mut().flush().unwrap();
    }

    /// One reply, its lines joined by LF.
    pub fn reply(&mut self) -> String {
        let first = self.line();
        let mut text = first.clone();
        if first.as_bytes().get(3) == Some(&b'-') {
            let last = format!("{} ", &first[..3]);
            while !text.lines().last().unwrap().starts_with(&last) {
                text = format!("{text}\n{}", self.line());
            }
        }
        text
    }

    /// One line without its end.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.control.read_line(&mut line).unwrap();
        assert!(line.ends_with("\r\n"), "no complete line: {line:?}");
        line.trim_end().to_owned()
    }

    /// Sends a command and reads its reply.
    pub fn ask(&mut self, command: &str) -> String {
        self.send(&format!("{command}\r\n"));
        self.reply()
    }

    /// EPSV, and a connection to where it points.
    pub fn passive(&mut self, server: &FakeServer) -> TcpStream {
        let reply = self.ask("EPSV");
        let port = reply.split('|').nth(3).unwrap_or_else(|| panic!("{reply}")).parse().unwrap();
        let data = TcpStream::connect((server.addr().ip(), port)).unwrap();
        data.set_read_timeout(Some(PATIENCE)).unwrap();
        data
    }

    /// PORT with a place where the server finds us.
    pub fn active(&mut self) -> TcpListener {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let reply = self.ask(&format!("PORT 127,0,0,1,{},{}", port >> 8, port & 255));
        assert!(reply.starts_with("200"), "{reply}");
        listener
    }

    /// Data, and the first and the last reply of a transfer.
    pub fn fetch(&mut self, server: &FakeServer, commands: &str) -> (Vec<u8>, String, String) {
        let (bytes, opening, closing) = self.try_fetch(server, commands);
        (bytes.unwrap(), opening, closing)
    }

    /// The same where the data may break off.
    pub fn try_fetch(&mut self, server: &FakeServer, commands: &str) -> (io::Result<Vec<u8>>, String, String) {
        let mut data = Wire::Clear(self.passive(server));
        self.send(&format!("{commands}\r\n"));
        if let Some(config) = &self.data {
            data = data.secure(config);
        }
        // The server says 150 before it shakes hands, and so do we.
        let mut opening = self.reply();
        if opening.starts_with("350") {
            opening = self.reply();
        }
        let mut bytes = Vec::new();
        let end = data.shake().and_then(|()| data.read_to_end(&mut bytes));
        drop(data);
        (end.map(|_| bytes), opening, self.reply())
    }

    /// Sends an upload and reads all its replies: the last one.
    pub fn put(&mut self, server: &FakeServer, commands: &str, bytes: &[u8]) -> String {
        let mut data = Wire::Clear(self.passive(server));
        self.send(&format!("{commands}\r\n"));
        if let Some(config) = &self.data {
            data = data.secure(config);
        }
        let mut reply = self.reply();
        if reply.starts_with("350") {
            reply = self.reply();
        }
        if !reply.starts_with('1') {
            return reply;
        }
        // Errors show in the reply.
        let _ = data.shake().and_then(|()| data.write_all(bytes)).and_then(|()| data.finish());
        if let Wire::Tls(_) = data {
            // Tickets that nobody reads would make the close a reset, which overtakes the data.
            let _ = data.read_to_end(&mut Vec::new());
        }
        drop(data);
        self.reply()
    }

    /// Begins an upload and sends this much of it; the data connection stays open.
    pub fn begin_put(&mut self, server: &FakeServer, command: &str, bytes: &[u8]) -> TcpStream {
        let mut data = self.passive(server);
        let opening = self.ask(command);
        assert!(opening.starts_with('1'), "{opening}");
        data.write_all(bytes).unwrap();
        data
    }

    /// The lines of a listing that ends with 226.
    pub fn lines(&mut self, server: &FakeServer, command: &str) -> Vec<String> {
        let (bytes, _, closing) = self.fetch(server, command);
        assert!(closing.starts_with("226"), "{closing}");
        String::from_utf8(bytes).unwrap().split_terminator("\r\n").map(str::to_owned).collect()
    }

    /// The server has closed the control connection.
    pub fn at_end(&mut self) -> bool {
        self.control.fill_buf().is_ok_and(<[u8]>::is_empty)
    }

    /// The server has reset the control connection.
    pub fn is_reset(&mut self) -> bool {
        self.control.fill_buf().is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
    }

    /// Nothing more comes, as far as one can tell: the answer to NOOP is the next thing.
    pub fn in_step(&mut self) -> bool {
        self.ask("NOOP") == "200 NOOP ok."
    }
}
