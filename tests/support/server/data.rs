//! Data connections: EPSV and PASV, and the way of a transfer from 150 to 226.

use super::fault::{Action, End, Place, Point};
use super::hub::Gone;
use super::log::Event;
use super::personality::Active;
use super::session::{Session, Step, Verdict};
use super::tls;
use super::tree::{Content, Tree};
use super::words;
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So much is asked of the tree and given to the socket at once.
pub(super) const CHUNK: usize = 64 << 10;

/// Data in small portions.
#[derive(Clone, Copy)]
pub(super) struct Slow {
    pub(super) chunk: usize,
    pub(super) pause: Duration,
}

/// How a data connection comes about.
enum Way {
    Passive(Arc<TcpListener>),
    Active(SocketAddr),
}

/// Where [`Active::Elsewhere`] comes from.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// What a transfer sends.
pub(super) enum Source {
    /// A listing, made when the command was taken up.
    Lines(Vec<u8>),
    /// A file from an offset. It is looked up again for every chunk: a file that shrinks meanwhile ends earlier.
    File { path: Vec<u8>, unique: u64, content: Content, offset: u64 },
}

/// How sending ended.
enum Sent {
    All,
    /// The client has closed the data connection.
    Refused,
    /// A fault has spoken in place of the server.
    Spoken,
}

impl Source {
    fn read(&mut self, tree: &Tree, sent: u64, len: usize) -> Vec<u8> {
        match self {
            Self::Lines(bytes) => {
                let rest = bytes.get(sent as usize..).unwrap_or_default();
                rest[..len.min(rest.len())].to_vec()
            }
            Self::File { path, unique, content, offset } => {
                // A file that was removed or replaced keeps its content for those that have it open.
                if let Ok((node, now)) = tree.regular(path)
                    && node.unique == *unique
                {
                    *content = now.clone();
                }
                content.read(*offset + sent, len)
            }
        }
    }
}

impl Session {
    /// EPSV or PASV: a new listener; the one before no longer counts.
    pub(super) fn listen(&mut self, extended: bool) -> Step {
        self.let_number_go();
        self.drop_passive();
        self.active = None;
        let Ok(local) = self.control.local_addr() else { return Err(Gone(End::Fin)) };
        let Ok(listener) = TcpListener::bind(SocketAddr::new(local.ip(), 0)) else {
            return self.answer("425 Cannot open a socket.");
        };
        let Ok(addr) = listener.local_addr() else { return Err(Gone(End::Fin)) };
        // On Linux the receive timeout of a listener limits accept().
        let _ = SockRef::from(&listener).set_read_timeout(Some(self.hub.personality.accept_patience));
        if let Some(size) = self.hub.personality.writing.as_ref().and_then(|it| it.receive_buffer) {
            let _ = SockRef::from(&listener).set_recv_buffer_size(size);
        }
        let listener = Arc::new(listener);
        self.hub.set_passive(self.id, Some(&listener));
        self.passive = Some(listener);
        let port = addr.port();
        if extended {
            return self.answer(format!("229 Entering Extended Passive Mode (|||{port}|)"));
        }
        let shown = self.hub.personality.pasv_address.map_or(local.ip(), IpAddr::V4);
        let octets = match shown {
            IpAddr::V4(ip) => ip.octets(),
            // As vsftpd has it.
            IpAddr::V6(_) => [0; 4],
        };
        let [a, b, c, d] = octets;
        self.answer(format!("227 Entering Passive Mode ({a},{b},{c},{d},{},{}).", port >> 8, port & 255))
    }

    pub(super) fn drop_passive(&mut self) {
        self.hub.set_passive(self.id, None);
        self.passive = None;
    }

    /// Sends something over the data connection, with all the replies around it.
    pub(super) fn transfer(&mut self, source: Source, opening: &[u8], closing: &[u8]) -> Step {
        if !self.establish(opening, false)? {
            return Ok(());
        }
        let closing = match self.send(source)? {
            Sent::Spoken => {
                self.end_data(End::Fin);
                return Ok(());
            }
            Sent::All => {
                self.close_data(false);
                closing.to_owned()
            }
            Sent::Refused => {
                self.close_data(true);
                words::early_end(self.hub.personality.dialect, self.sent).into_bytes()
            }
        };
        self.conclude(&closing)
    }

    /// Opens the data connection, with the replies that belong to that; `false` when there is none and all is said.
    pub(super) fn establish(&mut self, opening: &[u8], upload: bool) -> Result<bool, Gone> {
        let dialect = self.hub.personality.dialect;
        let Some(way) = self.way() else { return self.answer(words::no_data(dialect)).map(|()| false) };
        if let Some(refusal) = self.refused_in_clear() {
            return self.answer(refusal).map(|()| false);
        }
        if self.hub.personality.opens_before_accept {
            self.open_words(opening)?;
        }
        if let Verdict::Spoken = self.meet(Place::Accept)? {
            return Ok(false);
        }
        let stream = self.connect(&way);
        self.keep_number();
        self.drop_passive();
        self.active = None;
        drop(way);
        let Some(stream) = stream else {
            return self.answer("425 Failed to establish connection.").map(|()| false);
        };
        self.open_data(stream);
        if !self.hub.personality.opens_before_accept {
            let waits = upload && self.awaits_opening()?;
            self.open_words(opening)?;
            if waits && !self.hub.personality.latency.is_zero() {
                self.hub.pause(self.id, self.hub.personality.latency)?;
            }
        }
        if let Some(refusal) = self.secure_data()? {
            return self.refuse_data(refusal).map(|()| false);
        }
        if let Verdict::Spoken = self.meet(Place::AfterOpening)? {
            self.end_data(End::Fin);
            return Ok(false);
        }
        Ok(true)
    }

    /// The end of a transfer: its final reply.
    pub(super) fn conclude(&mut self, closing: &[u8]) -> Step {
        self.note_impatience();
        match self.meet(Place::Final)? {
            Verdict::Spoken => Ok(()),
            Verdict::Go => self.answer(closing),
        }
    }

    /// EPSV, PASV, PORT or EPRT was said.
    pub(super) fn has_way(&self) -> bool {
        self.way().is_some()
    }

    /// Gives the client the time of a burst to send its data before the opening reply; who does not pays a flight. Asked
    /// before the reply leaves, because afterwards the data could be a reaction to it.
    fn awaits_opening(&self) -> Result<bool, Gone> {
        let Some(data) = &self.data else { return Ok(false) };
        let end = Instant::now() + self.hub.personality.quiet;
        while !has_input(data) {
            if Instant::now() >= end {
                self.hub.update(|state| {
                    state.flights.entry(self.id).or_default().uploads += 1;
                    state.note(self.id, Event::AwaitedOpening);
                });
                return Ok(true);
            }
            self.hub.pause(self.id, Duration::from_millis(1))?;
        }
        Ok(false)
    }

    /// How the data connection comes about, where that is agreed.
    fn way(&self) -> Option<Way> {
        self.active.map(Way::Active).or_else(|| self.passive.clone().map(Way::Passive))
    }

    fn connect(&self, way: &Way) -> Option<TcpStream> {
        if self.hub.lock().over(self.id) {
            return None;
        }
        match way {
            Way::Passive(listener) => listener.accept().ok().map(|(stream, _)| stream),
            Way::Active(to) => {
                let socket = Socket::new(Domain::for_address(*to), Type::STREAM, None).ok()?;
                if self.hub.personality.active == Active::Elsewhere {
                    socket.bind(&SocketAddr::from((ELSEWHERE, 0)).into()).ok()?;
                }
                socket.connect_timeout(&(*to).into(), self.hub.personality.accept_patience).ok()?;
                Some(socket.into())
            }
        }
    }

    /// PORT or EPRT with what it says.
    pub(super) fn port(&mut self, arg: &[u8]) -> Step {
        let me = &self.hub.personality;
        let wanted = if self.verb == "PORT" { port_address(arg) } else { extended_address(arg) };
        let peer = self.control.peer_addr().ok().map(|peer| peer.ip());
        // An address of somebody else's would make the server attack them.
        let wanted = wanted.filter(|to| {
            Some(to.ip()) == peer && to.port() >= 1024 && !matches!(me.active, Active::Refused | Active::Foreign)
        });
        let Some(to) = wanted else { return self.answer(format!("500 Illegal {} command.", self.verb)) };
        self.let_number_go();
        self.drop_passive();
        self.active = Some(to);
        self.answer(format!("200 {} command successful.", self.verb))
    }

    /// Ends the data connection, or the listener where none was accepted.
    pub(super) fn end_data(&mut self, how: End) {
        self.drop_passive();
        if self.data.is_some() {
            if let (Some(data), End::Rst) = (&self.data, how) {
                let _ = SockRef::from(&**data).set_linger(Some(Duration::ZERO));
            }
            self.forget_data(false);
        }
    }

    fn open_words(&mut self, opening: &[u8]) -> Step {
        if self.hub.personality.opens_twice {
            self.say("150 About to start data transfer.")?;
        }
        if self.hub.personality.opens_silently { Ok(()) } else { self.say(opening) }
    }

    fn open_data(&mut self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let data = Arc::new(stream);
        self.hub.set_data(self.id, Some(&data));
        self.hub.note(self.id, Event::DataOpened(self.verb.clone()));
        self.data = Some(data);
        self.sent = 0;
        self.swallows = false;
    }

    /// The orderly end: FIN, and where the server does that, waiting for the client's.
    pub(super) fn close_data(&mut self, early: bool) {
        let closes_in_order = self.closes_in_order();
        if let Some(data) = &self.data {
            if let (Some(tls), true) = (&mut self.data_tls, closes_in_order) {
                tls.send_close_notify();
                // An error means that the client has gone, which it may.
                let _ = tls::flush(tls, &mut &**data);
            }
            let _ = data.shutdown(Shutdown::Write);
            if self.hub.personality.waits_for_close && !early {
                drain(data);
            }
        }
        self.forget_data(early);
    }

    fn forget_data(&mut self, early: bool) {
        self.hub.set_data(self.id, None);
        self.data = None;
        self.data_tls = None;
        self.slow = None;
        self.close_file();
        self.hub.note(self.id, Event::DataClosed { bytes: self.sent, early });
    }

    /// Commands behind a transfer that is not over yet are a fault of the client.
    fn note_impatience(&self) {
        if self.behind > 0 || self.hub.has_more(self.id) {
            self.hub.note(self.id, Event::SentDuringTransfer);
        }
    }

    fn send(&mut self, mut source: Source) -> Result<Sent, Gone> {
        // Below this byte count all faults have had their turn.
        let mut met_below = 0;
        loop {
            self.heed_loss()?;
            let point = Point { place: Place::Final, conn: self.id, verb: &self.verb, path: self.path.as_ref() };
            // A fault may be added when its place has been passed already.
            met_below = met_below.max(self.sent);
            let threshold = self.hub.threshold(&point, met_below);
            if threshold == Some(self.sent) {
                met_below = self.sent + 1;
                if let Verdict::Spoken = self.meet(Place::Data(self.sent))? {
                    return Ok(Sent::Spoken);
                }
                continue;
            }
            let chunk = self.slow.map_or(CHUNK, |slow| slow.chunk) as u64;
            let len = threshold.map_or(chunk, |at| chunk.min(at - self.sent)) as usize;
            let bytes = source.read(&self.hub.tree.lock(), self.sent, len);
            if bytes.is_empty() {
                return Ok(Sent::All);
            }
            if !self.write(&source, &bytes) {
                return Ok(Sent::Refused);
            }
            if let Some(slow) = self.slow {
                self.hub.pause(self.id, slow.pause)?;
            }
        }
    }

    /// Gives bytes to the data socket and counts them; `false` when the client has closed it.
    fn write(&mut self, source: &Source, bytes: &[u8]) -> bool {
        let Some(mut data) = self.data.as_deref() else { return false };
        let ascii = matches!(source, Source::File { .. }) && !self.binary && self.hub.personality.ascii;
        if ascii || self.data_tls.is_some() {
            self.sent += bytes.len() as u64;
            let bytes = if ascii { with_carriage_returns(bytes) } else { bytes.to_vec() };
            return match &mut self.data_tls {
                None => data.write_all(&bytes).is_ok(),
                Some(tls) => tls.writer().write_all(&bytes).is_ok() && tls::flush(tls, &mut data).is_ok(),
            };
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            match data.write(rest) {
                Ok(0) => return false,
                Ok(len) => {
                    self.sent += len as u64;
                    rest = &rest[len..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// Lines that a fault puts in front of a listing.
    pub(super) fn foreign_lines(&self) -> Vec<u8> {
        let point = Point { place: Place::Listing, conn: self.id, verb: &self.verb, path: self.path.as_ref() };
        let mut bytes = Vec::new();
        for action in self.hub.fire(&point) {
            if let Action::Line(line) = action {
                bytes.extend_from_slice(&line);
                bytes.extend_from_slice(b"\r\n");
            }
        }
        bytes
    }
}

/// `127,0,0,1,4,210` of PORT.
fn port_address(arg: &[u8]) -> Option<SocketAddr> {
    let numbers: Option<Vec<u8>> = std::str::from_utf8(arg).ok()?.split(',').map(|part| part.parse().ok()).collect();
    let [a, b, c, d, high, low] = numbers?[..] else { return None };
    Some(SocketAddr::from(([a, b, c, d], u16::from_be_bytes([high, low]))))
}

/// `|1|127.0.0.1|1234|` of EPRT.
fn extended_address(arg: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(arg).ok()?;
    let mut parts = text.split(text.chars().next()?).skip(1);
    let family = parts.next()?;
    let address = SocketAddr::new(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    (family == if address.is_ipv4() { "1" } else { "2" }).then_some(address)
}

/// What TYPE A makes of a file.
fn with_carriage_returns(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 16);
    for &byte in bytes {
        if byte == b'\n' {
            out.push(b'\r');
        }
        out.push(byte);
    }
    out
}

/// Bytes, or the end, can be read at once.
fn has_input(data: &TcpStream) -> bool {
    let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
    let peeked = SockRef::from(data).recv_with_flags(&mut [MaybeUninit::uninit()], flags);
    !peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// Reads until the client closes.
fn drain(mut data: &TcpStream) {
    let mut buffer = [0; 4096];
    while data.read(&mut buffer).is_ok_and(|len| len > 0) {}
}
