//! A client that is made of sockets alone: it proves what the fake server does, and it can play a second client beside
//! a mount. It panics where a test would.

use super::FakeServer;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Everything here is on loopback; who needs longer hangs.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A client that knows nothing but sockets.
pub struct Client {
    /// The control connection.
    pub control: BufReader<TcpStream>,
}

impl Client {
    /// Connected; the greeting is not read.
    pub fn connect(server: &FakeServer) -> Self {
        let control = TcpStream::connect(server.addr()).unwrap();
        control.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { control: BufReader::new(control) }
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
        self.control.get_mut().write_all(text.as_bytes()).unwrap();
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

    /// Data, and the first and the last reply of a transfer.
    pub fn fetch(&mut self, server: &FakeServer, commands: &str) -> (Vec<u8>, String, String) {
        let mut data = self.passive(server);
        self.send(&format!("{commands}\r\n"));
        let mut opening = self.reply();
        if opening.starts_with("350") {
            opening = self.reply();
        }
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes).unwrap();
        drop(data);
        (bytes, opening, self.reply())
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
