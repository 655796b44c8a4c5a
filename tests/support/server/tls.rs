//! The fake server's encryption: how it is offered, what is wrong with it, and the state of one control connection.
//!
//! Every control connection has a configuration of its own, so that the sessions which its data connections may resume
//! can be its own alone, as ProFTPD demands it.

use super::super::tls::{Certificate, Versions, Wish, authority, provider};
use super::log::Handshake;
use rustls::server::{
    NoClientAuth, NoServerSessionStorage, ServerConfig, ServerConnection, StoresServerSessions, WebPkiClientVerifier,
};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{HandshakeKind, ProtocolVersion};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Encryption. `Tls::offered()` is what a good server does; the rest is changed from there.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Whether clients may, must, or do at once.
    pub when: When,
    /// What is shown to clients.
    pub certificate: Certificate,
    /// The versions that are spoken.
    pub versions: Versions,
    /// Which sessions data connections must resume.
    pub reuse: Reuse,
    /// Sessions can be resumed at all (not so on Pure-FTPd with TLS 1.3).
    pub resumes: bool,
    /// In TLS 1.3 no tickets are sent, so that nothing can be resumed there.
    pub no_tickets: bool,
    /// Only clients with a certificate of [`authority`] get in.
    pub client_certificate: bool,
    /// In clear behind the line of the 234, in the same segment: what somebody on the way puts in, hoping that the
    /// client takes it for an answer to what it sends encrypted.
    pub injected: Vec<u8>,
    /// Data connections.
    pub data: DataTls,
}

/// When encryption begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// With AUTH TLS, if the client likes.
    Offered,
    /// With AUTH TLS, before USER; data connections need PROT P.
    Required,
    /// With the connection. AUTH is refused, PROT is P from the start.
    Implicit,
}

/// Which TLS sessions data connections must resume. One that does not is answered by an empty, cleanly closed stream
/// and then by 522 (vsftpd, which also hangs up) or 425.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// None.
    Free,
    /// Any session of this server (vsftpd).
    OfServer,
    /// One of their own control connection (ProFTPD).
    OfConnection,
}

/// How data connections are encrypted after PROT P.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataTls {
    /// As they should.
    Encrypted,
    /// Not at all, although PROT P was answered 200.
    Clear,
    /// After these bytes in clear.
    ClearFirst(Vec<u8>),
    /// The stream ends without close_notify, as if somebody on the way had cut it.
    Unclosed,
}

impl Tls {
    /// For those who ask.
    #[must_use]
    pub fn offered() -> Self {
        Self {
            when: When::Offered,
            certificate: authority().issue(&Wish::default()),
            versions: Versions::Both,
            reuse: Reuse::Free,
            resumes: true,
            no_tickets: false,
            client_certificate: false,
            injected: Vec::new(),
            data: DataTls::Encrypted,
        }
    }

    /// For all.
    #[must_use]
    pub fn required() -> Self {
        Self { when: When::Required, ..Self::offered() }
    }

    /// From the first byte.
    #[must_use]
    pub fn implicit() -> Self {
        Self { when: When::Implicit, ..Self::offered() }
    }

    /// With another certificate.
    #[must_use]
    pub fn with_certificate(self, certificate: Certificate) -> Self {
        Self { certificate, ..self }
    }

    /// In these versions alone.
    #[must_use]
    pub fn with_versions(self, versions: Versions) -> Self {
        Self { versions, ..self }
    }

    /// With a condition for data connections.
    #[must_use]
    pub fn with_reuse(self, reuse: Reuse) -> Self {
        Self { reuse, ..self }
    }

    /// With data connections that are as wrong as this.
    #[must_use]
    pub fn with_data(self, data: DataTls) -> Self {
        Self { data, ..self }
    }

    /// The lines of FEAT.
    pub(super) fn features(&self) -> &'static [&'static str] {
        if self.when == When::Implicit { &["PBSZ", "PROT"] } else { &["AUTH TLS", "PBSZ", "PROT"] }
    }

    /// What one control connection and its data connections use; `of_server` are the sessions that all share.
    pub(super) fn config(&self, of_server: &Arc<Sessions>) -> Arc<ServerConfig> {
        let (chain, key) = self.certificate.der();
        let key = provider().key_provider.load_private_key(key).expect("ring knows the key's kind");
        let verifier = match self.client_certificate {
            false => Arc::new(NoClientAuth),
            true => WebPkiClientVerifier::builder_with_provider(Arc::new(authority().roots()), provider())
                .build()
                .expect("the authority is one"),
        };
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(self.versions.known())
            .expect("ring speaks all versions")
            .with_client_cert_verifier(verifier)
            // Not checked against each other: some tests want a server that has not the key of what it shows.
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key))));
        config.session_storage = match (self.resumes, self.reuse) {
            (false, _) => Arc::new(NoServerSessionStorage {}),
            (true, Reuse::OfConnection) => Arc::new(Sessions::default()),
            (true, Reuse::Free | Reuse::OfServer) => Arc::<Sessions>::clone(of_server),
        };
        if self.no_tickets {
            config.send_tls13_tickets = 0;
        }
        Arc::new(config)
    }
}

/// Sessions that can be resumed any number of times, as on servers with OpenSSL.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<Vec<u8>, Vec<u8>>>);

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, value);
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.get(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// How bytes travel on a control connection.
pub(super) enum Channel {
    /// As they are.
    Clear,
    /// The client has been told to begin; what it sends is kept until the server does.
    Agreed(Vec<u8>),
    /// Encrypted.
    Tls(Box<ServerConnection>),
}

/// What a piece of the stream has brought.
#[derive(Default)]
pub(super) struct Received {
    pub(super) text: Vec<u8>,
    /// The handshake is over now: how it went, or why it failed.
    pub(super) shaken: Option<Result<Handshake, String>>,
    /// Nothing more will come.
    pub(super) end: bool,
}

impl Channel {
    /// A handshake is under way.
    pub(super) fn is_shaking(&self) -> bool {
        match self {
            Self::Clear => false,
            Self::Agreed(_) => true,
            Self::Tls(tls) => tls.is_handshaking(),
        }
    }

    /// What the client means by `bytes`; what has to be answered goes to `answer`. Neither is more than a few kilobytes.
    pub(super) fn take(&mut self, bytes: &[u8], answer: &mut impl Write) -> Received {
        match self {
            Self::Clear => Received { text: bytes.to_vec(), ..Received::default() },
            Self::Agreed(kept) => {
                kept.extend_from_slice(bytes);
                Received::default()
            }
            Self::Tls(tls) => decrypt(tls, bytes, answer),
        }
    }

    /// Sends `bytes`, encrypted or not.
    pub(super) fn send(&mut self, bytes: &[u8], to: &mut impl Write) -> std::io::Result<()> {
        match self {
            Self::Clear | Self::Agreed(_) => to.write_all(bytes),
            Self::Tls(tls) => {
                tls.writer().write_all(bytes)?;
                flush(tls, to)
            }
        }
    }

    /// Says that nothing more will come.
    pub(super) fn close(&mut self, to: &mut impl Write) {
        if let Self::Tls(tls) = self {
            tls.send_close_notify();
            // An error means that nobody is there to be told.
            let _ = flush(tls, to);
        }
    }
}

/// Sends what waits to be sent.
pub(super) fn flush(tls: &mut ServerConnection, to: &mut impl Write) -> std::io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(to)?;
    }
    Ok(())
}

/// How the handshake of a connection went.
pub(super) fn handshake(tls: &ServerConnection, data: bool) -> Handshake {
    Handshake {
        data,
        resumed: tls.handshake_kind() == Some(HandshakeKind::Resumed),
        tls13: tls.protocol_version() == Some(ProtocolVersion::TLSv1_3),
        identified: tls.peer_certificates().is_some(),
        server_name: tls.server_name().map(str::to_owned),
    }
}

fn decrypt(tls: &mut ServerConnection, mut bytes: &[u8], answer: &mut impl Write) -> Received {
    let mut received = Received::default();
    let shaking = tls.is_handshaking();
    while !bytes.is_empty() && !received.end {
        let read = tls.read_tls(&mut bytes);
        let state = tls.process_new_packets();
        received.end = read.is_err() || state.as_ref().map_or(true, rustls::IoState::peer_has_closed);
        if let (Err(why), true) = (&state, shaking) {
            received.shaken = Some(Err(why.to_string()));
        }
        if let Ok(state) = state {
            let mut text = vec![0; state.plaintext_bytes_to_read()];
            tls.reader().read_exact(&mut text).expect("so many bytes are there");
            received.text.extend_from_slice(&text);
        }
        // Alerts, too.
        received.end |= flush(tls, answer).is_err();
    }
    if shaking && !tls.is_handshaking() && received.shaken.is_none() {
        received.shaken = Some(Ok(handshake(tls, false)));
    }
    received
}
