//! Whether a server's certificate is the right one, and words for what is wrong.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, CertificateError, DigitallySignedStruct, Error, InvalidMessage, OtherError, PeerIncompatible,
    RootCertStore, SignatureScheme,
};

use super::key;
use crate::config::Tls;

/// Decides about the server's certificate as the user's options say.
#[derive(Debug)]
pub(super) struct Verifier {
    rules: Rules,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
enum Rules {
    /// Any certificate at all, and no proof that the server has its key.
    Nothing,
    /// One of these, by their SHA-256.
    Pinned(Vec<[u8; 32]>),
    Authorities {
        /// None where there is no authority that could be used.
        webpki: Option<Arc<WebPkiServerVerifier>>,
        /// Certificates that the user named: one of them may be the server's own.
        named: Vec<CertificateDer<'static>>,
        names_matter: bool,
    },
}

impl Verifier {
    /// `authorities`: certificates to believe, and whether the user named them.
    pub(super) fn new(
        settings: &Tls,
        provider: &Arc<CryptoProvider>,
        authorities: (Vec<CertificateDer<'static>>, bool),
    ) -> Self {
        let algorithms = provider.signature_verification_algorithms;
        let rules = if !settings.pins.is_empty() {
            Rules::Pinned(settings.pins.clone())
        } else if !settings.verify_peer {
            Rules::Nothing
        } else {
            let (certificates, by_user) = authorities;
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(certificates.iter().cloned());
            // The only other failure is an empty store.
            let webpki =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build().ok();
            let named = if by_user { certificates } else { Vec::new() };
            Rules::Authorities { webpki, named, names_matter: settings.verify_name }
        };
        Self { rules, algorithms }
    }

    fn judge(
        &self,
        cert: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), String> {
        match &self.rules {
            Rules::Nothing => Ok(()),
            Rules::Pinned(pins) => match pins.contains(&fingerprint(cert)) {
                true => Ok(()),
                false => Err(format!("the server's certificate is not the pinned one: it has SHA-256 {}", hex(cert))),
            },
            Rules::Authorities { webpki, named, names_matter } => {
                if named.iter().any(|known| known.as_ref() == cert.as_ref()) {
                    // The certificate itself was named: nobody has to vouch for it.
                    let parsed = ParsedCertificate::try_from(cert).map_err(|e| words(&e, cert, name))?;
                    return match verify_server_name(&parsed, name) {
                        Err(e) if *names_matter => Err(words(&e, cert, name)),
                        _ => Ok(()),
                    };
                }
                let Some(webpki) = webpki else {
                    return Err(
                        "there is no certification authority on this system (install ca-certificates, or name \
                                one with the option cacert=FILE)"
                            .into(),
                    );
                };
                match webpki.verify_server_cert(cert, intermediates, name, &[], now) {
                    Ok(_) => Ok(()),
                    Err(e) if !names_matter && is_about_name(&e) => Ok(()),
                    Err(e) => Err(words(&e, cert, name)),
                }
            }
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.judge(end_entity, intermediates, server_name, now) {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(text) => {
                Err(CertificateError::Other(OtherError(Arc::new(Trouble { text, kind: TroubleKind::Ours }))).into())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.rules {
            // Old devices have certificates that webpki cannot even read, and there is nothing left to prove.
            Rules::Nothing => Ok(HandshakeSignatureValid::assertion()),
            _ if !key::is_readable(cert) => key::verify_tls12(message, cert, dss, &self.algorithms),
            _ => verify_tls12_signature(message, cert, dss, &self.algorithms),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.rules {
            Rules::Nothing => Ok(HandshakeSignatureValid::assertion()),
            _ if !key::is_readable(cert) => key::verify_tls13(message, cert, dss, &self.algorithms),
            _ => verify_tls13_signature(message, cert, dss, &self.algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What is wrong with a TLS connection, in one line for the user.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    text: String,
    kind: TroubleKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum TroubleKind {
    /// It will be so the next time, too.
    Ours,
    /// The records are broken: so is the connection.
    Broken,
    /// There are no records: what came in their place.
    Clear(Vec<u8>),
}

impl Trouble {
    /// Explains an error of the TLS library.
    pub(crate) fn from_rustls(error: &Error) -> Self {
        if let Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) = error
            && let Some(trouble) = inner.downcast_ref::<Self>()
        {
            return trouble.clone();
        }
        let ours = |text: &str| Self { text: text.into(), kind: TroubleKind::Ours };
        match error {
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
                Self { text: "the server does not answer in TLS".into(), kind: TroubleKind::Clear(Vec::new()) }
            }
            Error::AlertReceived(AlertDescription::ProtocolVersion)
            | Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
                ours("the server speaks no version of TLS that is allowed here: 1.2 or 1.3, see the option tls_version")
            }
            Error::AlertReceived(AlertDescription::CertificateRequired) => {
                ours("the server wants to see a certificate of ours: options cert and key")
            }
            Error::AlertReceived(
                AlertDescription::BadCertificate
                | AlertDescription::UnknownCA
                | AlertDescription::AccessDenied
                | AlertDescription::CertificateUnknown,
            ) => ours(&format!("the server does not accept our certificate, see the options cert and key ({error})")),
            Error::AlertReceived(AlertDescription::HandshakeFailure) => ours(
                "the server refuses the handshake: it may want a client certificate (options cert and key), or knows \
                 no cipher that is safe",
            ),
            Error::PeerIncompatible(_) | Error::InvalidCertificate(_) => ours(&error.to_string()),
            _ => Self { text: error.to_string(), kind: TroubleKind::Broken },
        }
    }

    /// Adds what came in place of a record.
    pub(super) fn with_words(self, words: &[u8]) -> Self {
        match self.kind {
            TroubleKind::Clear(_) => Self { kind: TroubleKind::Clear(words.to_vec()), ..self },
            TroubleKind::Ours | TroubleKind::Broken => self,
        }
    }

    /// What came in the clear, where something did that is no TLS at all.
    pub(crate) fn clear_words(&self) -> Option<&[u8]> {
        match &self.kind {
            TroubleKind::Clear(words) => Some(words),
            TroubleKind::Ours | TroubleKind::Broken => None,
        }
    }

    /// Whether another connection would end in the same way.
    pub(crate) fn is_ours(&self) -> bool {
        self.kind == TroubleKind::Ours
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Trouble {}

/// What webpki found, and which option would accept it.
fn words(error: &Error, cert: &CertificateDer<'_>, name: &ServerName<'_>) -> String {
    let accept = format!("pin={}", hex(cert));
    let Error::InvalidCertificate(problem) = error else {
        return format!("the server's certificate cannot be used: {error} (accept it with {accept})");
    };
    let name = name.to_str();
    match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the server's certificate has expired{} (accept it with {accept})", until(problem))
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the server's certificate is not valid yet{} (accept it with {accept})", until(problem))
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => format!(
            "the server's certificate is not for {name}{} (accept it with no_verify_hostname, or better {accept})",
            holders(problem)
        ),
        // A certificate that may sign others is none for a server; what most people make by hand is both.
        CertificateError::UnknownIssuer | CertificateError::BadSignature | CertificateError::Other(_)
            if is_self_signed(cert) =>
        {
            format!("the server's certificate is self-signed (accept it with {accept})")
        }
        CertificateError::UnknownIssuer => format!(
            "the server's certificate comes from an unknown authority (name it with cacert=FILE, or accept the \
             certificate with {accept})"
        ),
        CertificateError::Other(OtherError(inner)) if inner.to_string() == "UnsupportedCertVersion" => {
            format!("the server's certificate is of X.509 version 1, which names nobody (accept it with {accept})")
        }
        CertificateError::Other(OtherError(inner)) => {
            format!("the server's certificate cannot be used: {inner} (accept it with {accept})")
        }
        other => format!("the server's certificate cannot be used: {other} (accept it with {accept})"),
    }
}

fn until(problem: &CertificateError) -> String {
    let day = |time: &UnixTime| {
        let second = i64::try_from(time.as_secs()).ok().and_then(|secs| jiff::Timestamp::from_second(secs).ok());
        second.map(|t| t.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
    };
    match problem {
        CertificateError::ExpiredContext { not_after, .. } => format!(" on {}", day(not_after)),
        CertificateError::NotValidYetContext { not_before, .. } => format!(" before {}", day(not_before)),
        _ => String::new(),
    }
}

/// The first names that the certificate is for. They come from the server: nothing that could steer a terminal.
fn holders(problem: &CertificateError) -> String {
    let CertificateError::NotValidForNameContext { presented, .. } = problem else { return String::new() };
    // They come as `DnsName("ftp.example.org")`.
    let bare = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
        inner.trim_matches('"').escape_debug().to_string()
    };
    let names: Vec<String> = presented.iter().take(3).map(bare).collect();
    if names.is_empty() { ", and names nobody".into() } else { format!(", but for {}", names.join(", ")) }
}

fn is_about_name(error: &Error) -> bool {
    use CertificateError::{NotValidForName, NotValidForNameContext};
    matches!(error, Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }))
}

fn is_self_signed(cert: &CertificateDer<'_>) -> bool {
    webpki::EndEntityCert::try_from(cert).is_ok_and(|parsed| parsed.issuer() == parsed.subject())
}

fn fingerprint(cert: &CertificateDer<'_>) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, cert);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

fn hex(cert: &CertificateDer<'_>) -> String {
    fingerprint(cert).iter().map(|byte| format!("{byte:02x}")).collect()
}
