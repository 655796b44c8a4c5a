//! Records on a TCP stream: bytes in, plaintext out, and the other way round.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};

use rustls::{ClientConnection, HandshakeKind};

use super::verify::Trouble;

/// TLS on top of one stream. It never waits by itself: where the stream would block, so does it.
pub(crate) struct Layer {
    tls: ClientConnection,
    /// Read from the stream and not yet taken apart.
    raw: Box<[u8]>,
    from: usize,
    to: usize,
}

/// How far a handshake has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shake {
    Done,
    /// Wait until the stream can be read.
    Reads,
    /// Wait until the stream can be written.
    Writes,
}

impl Layer {
    pub(crate) fn new(tls: ClientConnection) -> Self {
        Self { tls, raw: vec![0; RAW].into_boxed_slice(), from: 0, to: 0 }
    }

    /// Goes on with the handshake on a stream that does not block.
    ///
    /// # Errors
    /// What is wrong with the other side, as a [`Trouble`], or the stream's own failure.
    pub(crate) fn shake(&mut self, stream: &mut (impl Read + Write)) -> io::Result<Shake> {
        loop {
            match self.push(stream) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(Shake::Writes),
                done => done?,
            }
            if !self.tls.is_handshaking() {
                return Ok(Shake::Done);
            }
            match self.feed(stream) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(Shake::Reads),
                Err(e) => {
                    // The other side may want to know what was wrong; it matters to nobody if it cannot be told.
                    let _ = self.push(stream);
                    return Err(e);
                }
                Ok(true) => {}
                Ok(false) => {
                    return Err(io::Error::new(ErrorKind::UnexpectedEof, "the server hung up during the handshake"));
                }
            }
        }
    }

    /// Whether the session of an earlier connection was taken up again.
    pub(crate) fn is_resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Fills `buf` with all that has arrived: None where more must come first, 0 after the other side's close_notify.
    ///
    /// # Errors
    /// `UnexpectedEof` where the stream ended without a close_notify: somebody may have cut it. A [`Trouble`] where the
    /// records are broken.
    pub(crate) fn take(&mut self, buf: &mut [u8]) -> io::Result<Option<usize>> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.decrypted(&mut buf[filled..]) {
                Ok(Some(0)) if filled == 0 => return Ok(Some(0)),
                Ok(Some(0)) => break,
                Ok(Some(n)) => filled += n,
                // A record is 16 KiB at most, and more of them may have come in one piece.
                Ok(None) if self.from < self.to => self.decrypt()?,
                Ok(None) if filled == 0 => return Ok(None),
                Ok(None) => break,
                // It comes again with the next call.
                Err(_) if filled > 0 => break,
                Err(e) => return Err(e),
            }
        }
        Ok(Some(filled))
    }

    fn decrypted(&mut self, buf: &mut [u8]) -> io::Result<Option<usize>> {
        match self.tls.reader().read(buf) {
            Ok(n) => Ok(Some(n)),
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => {
                Err(io::Error::new(ErrorKind::UnexpectedEof, "the connection ended without the close_notify of TLS"))
            }
            Err(e) => Err(e),
        }
    }

    /// Takes what `stream` has, once; false at its end.
    ///
    /// # Errors
    /// The stream's own, `WouldBlock` among them, or a [`Trouble`].
    pub(crate) fn feed(&mut self, stream: &mut impl Read) -> io::Result<bool> {
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
            self.to = stream.read(&mut self.raw)?;
            if self.to == 0 {
                self.tls.read_tls(&mut io::empty())?;
                return Ok(false);
            }
        }
        self.decrypt()?;
        Ok(true)
    }

    /// Goes through what came from the stream, until something is decrypted.
    fn decrypt(&mut self) -> io::Result<()> {
        while self.from < self.to {
            self.from += self.tls.read_tls(&mut &self.raw[self.from..self.to])?;
            let state = self.tls.process_new_packets().map_err(|e| {
                let words = &self.raw[..self.to.min(WORDS)];
                io::Error::new(ErrorKind::InvalidData, Trouble::from_rustls(&e).with_words(words))
            })?;
            if state.plaintext_bytes_to_read() > 0 || state.peer_has_closed() {
                break;
            }
        }
        Ok(())
    }

    /// Whether something waits to be sent.
    pub(crate) fn wants_write(&self) -> bool {
        self.tls.wants_write()
    }

    /// Sends what waits to be sent.
    ///
    /// # Errors
    /// The stream's own.
    pub(crate) fn push(&mut self, stream: &mut impl Write) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(stream) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                done => drop(done?),
            }
        }
        Ok(())
    }

    /// Encrypts some of `bytes`; [`push`](Self::push) sends it.
    ///
    /// # Errors
    /// None that is known.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tls.writer().write(bytes)
    }

    /// Says that nothing more will be written; [`push`](Self::push) sends it.
    pub(crate) fn put_close(&mut self) {
        self.tls.send_close_notify();
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer").field("version", &self.tls.protocol_version()).finish_non_exhaustive()
    }
}

/// Enough for one reply of a server that speaks in the clear.
const WORDS: usize = 500;

/// A dozen records at a time.
const RAW: usize = 192 << 10;
