//! AUTH, PBSZ, PROT, and the handshakes of data connections.

use super::fault::{End, Place};
use super::hub::Gone;
use super::log::Event;
use super::personality::Dialect;
use super::session::{Session, Step, Verdict};
use super::tls::{self, DataTls, Reuse, When};
use super::words;
use rustls::server::ServerConnection;
use std::io::Write;
use std::sync::Arc;

/// Why a data connection is given up before its data.
pub(super) enum DataRefusal {
    /// This is said, and the control connection stays or not.
    Words(String, End),
    /// A fault has said it.
    Spoken,
}

impl Session {
    pub(super) fn auth(&mut self, arg: &[u8]) -> Step {
        let dialect = self.hub.personality.dialect;
        let Some(tls) = self.hub.personality.tls.clone() else { return self.answer(words::no_tls(dialect)) };
        let known = [&b"TLS"[..], b"TLS-C", b"SSL", b"TLS-P"].iter().any(|name| name.eq_ignore_ascii_case(arg));
        if !known {
            return self.answer("504 Unknown AUTH type.");
        }
        if self.secure || self.logged_in {
            return self.answer("534 Unwilling to accept security parameters");
        }
        let text = words::secure(dialect, &String::from_utf8_lossy(arg));
        self.agree(&text, &tls.injected)
    }

    pub(super) fn protection_buffer(&mut self) -> Step {
        if !self.secure {
            return self.answer("503 PBSZ needs a secure connection.");
        }
        self.answer("200 PBSZ set to 0.")
    }

    pub(super) fn protection(&mut self, arg: &[u8]) -> Step {
        let required = self.hub.personality.tls.as_ref().is_some_and(|tls| tls.when != When::Offered);
        match arg.first().map(u8::to_ascii_uppercase) {
            _ if !self.secure => self.answer("503 PROT needs a secure connection."),
            Some(b'P') => {
                self.private = true;
                self.answer("200 PROT now Private.")
            }
            Some(b'C') if !required => {
                self.private = false;
                self.answer("200 PROT now Clear.")
            }
            Some(b'C') => self.answer("534 Unwilling to accept security parameters"),
            Some(b'S' | b'E') => self.answer("536 PROT not supported."),
            _ => self.answer("504 PROT not recognised."),
        }
    }

    /// What is said to a client that must speak TLS and does not, and whether it may go on.
    pub(super) fn must_be_secure(&self) -> Option<(&'static str, End)> {
        let required = self.hub.personality.tls.as_ref().is_some_and(|tls| tls.when == When::Required);
        (required && !self.secure).then(|| words::tls_first(self.hub.personality.dialect))
    }

    /// What is said to a transfer that must be encrypted and is not going to be.
    pub(super) fn refused_in_clear(&self) -> Option<&'static str> {
        let required = self.hub.personality.tls.as_ref().is_some_and(|tls| tls.when != When::Offered);
        (required && !self.private).then(|| words::data_in_clear(self.hub.personality.dialect))
    }

    /// Encrypts the data connection, where PROT P asks for it.
    pub(super) fn secure_data(&mut self) -> Result<Option<DataRefusal>, Gone> {
        let (Some(mine), Some(config), true) =
            (self.hub.personality.tls.clone(), self.tls.clone(), self.secure && self.private)
        else {
            return Ok(None);
        };
        let Some(data) = self.data.clone() else { return Ok(None) };
        match &mine.data {
            DataTls::Clear => return Ok(None),
            // An error shows in the handshake.
            DataTls::ClearFirst(bytes) => drop((&*data).write_all(bytes)),
            DataTls::Encrypted | DataTls::Unclosed => {}
        }
        if let Verdict::Spoken = self.meet(Place::DataHandshake)? {
            return Ok(Some(DataRefusal::Spoken));
        }
        let mut tls = Box::new(ServerConnection::new(config).expect("the configuration is complete"));
        tls.set_buffer_limit(None);
        let mut stream = &*data;
        while tls.is_handshaking() {
            if let Err(error) = tls.complete_io(&mut stream) {
                self.hub.note(self.id, Event::HandshakeFailed { data: true, why: error.to_string() });
                return Ok(Some(self.refused_handshake("")));
            }
        }
        let how = tls::handshake(&tls, true);
        let resumed = how.resumed;
        self.hub.note(self.id, Event::Handshake(how));
        self.data_tls = Some(tls);
        if mine.reuse == Reuse::Free || resumed {
            return Ok(None);
        }
        // In order and empty: only the reply tells that something is wrong.
        self.close_data(false);
        Ok(Some(self.refused_handshake(": session reuse required")))
    }

    /// Ends a transfer whose data connection is not as it must be.
    pub(super) fn refuse_data(&mut self, refusal: DataRefusal) -> Step {
        self.end_data(End::Fin);
        let DataRefusal::Words(text, end) = refusal else { return Ok(()) };
        self.answer(text)?;
        if end == End::Keep { Ok(()) } else { Err(Gone(end)) }
    }

    /// Whether data connections end as TLS has it.
    pub(super) fn closes_in_order(&self) -> bool {
        self.hub.personality.tls.as_ref().is_none_or(|tls| tls.data != DataTls::Unclosed)
    }

    fn refused_handshake(&self, why: &str) -> DataRefusal {
        match self.hub.personality.dialect {
            Dialect::Vsftpd => DataRefusal::Words(format!("522 SSL connection failed{why}"), End::Fin),
            _ => {
                let text = "425 Unable to build data connection: Operation not permitted";
                DataRefusal::Words(text.to_owned(), End::Keep)
            }
        }
    }
}
