//! TLS for control and data connections (RFC 4217), by rustls.
//!
//! [`Security`] is what the user wants, read once; a [`Session`] belongs to one control connection and its data
//! connections: it keeps the tickets that let a data connection resume, which vsftpd, ProFTPD and FileZilla Server
//! demand as the proof that both have the same client at their end. [`verify`] decides about certificates and finds the
//! words for what is wrong with them, [`layer`] puts records onto a TCP stream.

mod key;
pub(crate) mod layer;
mod tickets;
mod verify;

use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use log::debug;
use rustls::client::{ClientSessionStore, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, Error, SupportedProtocolVersion};
use zeroize::Zeroizing;

use self::tickets::Tickets;
use self::verify::Verifier;
use crate::config::{Tls, TlsMode, TlsVersions};

pub(crate) use self::verify::Trouble;

/// What the user wants of TLS: files read, nothing negotiated yet.
pub(crate) struct Security {
    settings: Tls,
    name: ServerName<'static>,
    provider: Arc<CryptoProvider>,
    /// The authorities that the user named; None for the system's.
    authorities: Option<Vec<CertificateDer<'static>>>,
    identity: Option<Identity>,
    /// Made when the first connection wants it: reading the system's authorities takes longer than a login.
    verifier: OnceLock<Arc<Verifier>>,
}

/// Who we are, to a server that asks for it.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// The TLS of one control connection and of the data connections that belong to it.
#[derive(Clone)]
pub(crate) struct Session {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    tickets: Arc<Tickets>,
    /// TLS 1.3 was left out, because this server does not seem to resume it.
    old: bool,
}

impl Security {
    /// Reads the files that `settings` name.
    ///
    /// # Errors
    /// One line that names the file.
    pub(crate) fn new(settings: &Tls, host: &str) -> Result<Self, String> {
        let name = match server_name(host) {
            Some(name) => name,
            // Nobody will ask.
            None if settings.mode == TlsMode::Off => ServerName::IpAddress(IpAddr::from([0, 0, 0, 0]).into()),
            None => return Err(format!("'{host}' is no name that a certificate can have (tls=off does without)")),
        };
        let authorities = match (&settings.cacert, &settings.capath) {
            _ if settings.mode == TlsMode::Off => None,
            (None, None) => None,
            (file, dir) => {
                let mut all = Vec::new();
                if let Some(file) = file {
                    all.extend(certificates(file, "cacert")?);
                }
                if let Some(dir) = dir {
                    all.extend(certificates_in(dir)?);
                }
                Some(all)
            }
        };
        let identity = match &settings.cert {
            Some(cert) if settings.mode != TlsMode::Off => Some(identity(cert, settings.key.as_deref())?),
            None if settings.key.is_some() => return Err("option 'key' needs 'cert'".into()),
            _ => None,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let security =
            Self { settings: settings.clone(), name, provider, authorities, identity, verifier: OnceLock::new() };
        if security.identity.is_some() {
            // A key that does not fit its certificate is told now, not at the first connection.
            security.session(false)?;
        }
        Ok(security)
    }

    pub(crate) fn mode(&self) -> TlsMode {
        self.settings.mode
    }

    /// Data travels in the clear although the control connection does not.
    pub(crate) fn clear_data(&self) -> bool {
        self.settings.clear_data
    }

    /// Tickets for a new control connection; with `old`, TLS 1.2 only.
    pub(crate) fn session(&self, old: bool) -> Result<Session, String> {
        let versions: &[&'static SupportedProtocolVersion] = match (self.settings.versions, old) {
            (TlsVersions::Any, false) => &[&TLS13, &TLS12],
            (TlsVersions::Only13, _) => &[&TLS13],
            (TlsVersions::Only12, _) | (TlsVersions::Any, true) => &[&TLS12],
        };
        let verifier = Arc::clone(self.verifier.get_or_init(|| Arc::new(self.make_verifier())));
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(versions)
            .map_err(|e| format!("TLS: {e}"))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(Identity { chain, key }) => {
                builder.with_client_auth_cert(chain.clone(), key.clone_key()).map_err(|e| match e {
                    Error::InconsistentKeys(_) => "the key does not belong to the certificate of 'cert'".to_string(),
                    e => format!("the key of 'cert' cannot be used: {e}"),
                })?
            }
        };
        let tickets = Tickets::new();
        config.resumption = Resumption::store(Arc::clone(&tickets) as Arc<dyn ClientSessionStore>);
        Ok(Session { config: Arc::new(config), name: self.name.clone(), tickets, old })
    }

    fn make_verifier(&self) -> Verifier {
        let authorities = self.authorities.clone().map_or_else(system_authorities, |named| (named, true));
        Verifier::new(&self.settings, &self.provider, authorities)
    }
}

impl Session {
    /// A connection that has said nothing yet; it resumes the newest session there is.
    pub(crate) fn connection(&self) -> Result<ClientConnection, Trouble> {
        ClientConnection::new(Arc::clone(&self.config), self.name.clone()).map_err(|e| Trouble::from_rustls(&e))
    }
}

impl Session {
    /// Whether TLS 1.3 was left out.
    pub(crate) fn is_old(&self) -> bool {
        self.old
    }

    /// Whether the server has handed out tickets of TLS 1.3 on this connection.
    pub(crate) fn had_tickets(&self) -> bool {
        self.tickets.ever()
    }

    /// How many it has handed out.
    pub(crate) fn tickets(&self) -> usize {
        self.tickets.brought()
    }

    /// Whether it did, and none is left: the next data connection cannot resume anything.
    pub(crate) fn is_used_up(&self) -> bool {
        self.tickets.used_up()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({:?})", self.name)
    }
}

/// The name or address that the certificate must show. A zone (`fe80::1%eth0`) is nothing that a certificate knows of.
fn server_name(host: &str) -> Option<ServerName<'static>> {
    let bare = host.split_once('%').map_or(host, |(address, _)| address);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Some(ServerName::IpAddress(address.into()));
    }
    // A name with a dot at its end is absolute in DNS; in certificates there is none.
    ServerName::try_from(host.trim_end_matches('.').to_owned()).ok()
}

fn system_authorities() -> (Vec<CertificateDer<'static>>, bool) {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        debug!("the system's certificates: {error}");
    }
    (found.certs, false)
}

fn certificates(file: &Path, option: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |e: &dyn fmt::Display| format!("option '{option}': {}: {e}", file.display());
    let pem = fs::read(file).map_err(|e| failed(&e))?;
    let all = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().map_err(|e| failed(&e))?;
    if all.is_empty() { Err(failed(&"there is no certificate in it (PEM is wanted)")) } else { Ok(all) }
}

/// All certificates in the files of a directory; OpenSSL's own directories hold each file under a second name as well.
fn certificates_in(dir: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |e: &dyn fmt::Display| format!("option 'capath': {}: {e}", dir.display());
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(dir).map_err(|e| failed(&e))? {
        files.push(entry.map_err(|e| failed(&e))?.path());
    }
    files.sort();
    let mut all: Vec<CertificateDer<'static>> = Vec::new();
    for file in files.iter().filter(|file| file.is_file()) {
        // Other files may lie there: revocation lists, a README.
        all.extend(certificates(file, "capath").unwrap_or_default());
    }
    if all.is_empty() { Err(failed(&"there is no certificate in it (PEM is wanted)")) } else { Ok(all) }
}

fn identity(cert: &Path, key: Option<&Path>) -> Result<Identity, String> {
    let chain = certificates(cert, "cert")?;
    let (option, file) = key.map_or(("cert", cert), |key| ("key", key));
    let failed = |e: &dyn fmt::Display| format!("option '{option}': {}: {e}", file.display());
    let pem = Zeroizing::new(fs::read(file).map_err(|e| failed(&e))?);
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|e| match e {
        pem::Error::NoItemsFound if pem.windows(MARK.len()).any(|part| part == MARK) => {
            failed(&"the key in it is encrypted, which is not supported (openssl pkey takes the pass phrase off)")
        }
        pem::Error::NoItemsFound => failed(&"there is no private key in it (PEM is wanted)"),
        e => failed(&e),
    })?;
    Ok(Identity { chain, key })
}

/// How the label of an encrypted key begins in PEM (RFC 7468 11).
const MARK: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_certificates_can_have() {
        for (host, want) in [
            ("ftp.example.org", Some("DnsName(\"ftp.example.org\")")),
            ("ftp.example.org.", Some("DnsName(\"ftp.example.org\")")),
            ("under_score", Some("DnsName(\"under_score\")")),
            ("10.0.0.1", Some("IpAddress(V4(Ipv4Addr([10, 0, 0, 1])))")),
            ("h\u{f6}st", None),
            ("", None),
        ] {
            assert_eq!(server_name(host).map(|n| format!("{n:?}")).as_deref(), want, "{host}");
        }
        assert_eq!(server_name("fe80::1%eth0"), server_name("fe80::1"));
    }

    #[test]
    fn files_that_are_of_no_use_are_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("x.pem");
        fs::write(&file, "nothing").expect("the folder is ours");
        let error = |tls: Tls| Security::new(&tls, "h").map(drop).expect_err("refused");
        let base = Tls::default();
        for tls in [
            Tls { cacert: Some(file.clone()), ..base.clone() },
            Tls { cacert: Some("/nonexistent".into()), ..base.clone() },
            Tls { capath: Some(dir.path().into()), ..base.clone() },
            Tls { cert: Some(file.clone()), ..base.clone() },
        ] {
            let text = error(tls);
            assert!(text.starts_with("option 'c") && text.contains('/') && !text.contains('\n'), "{text}");
        }
        assert_eq!(error(Tls { key: Some(file.clone()), ..base.clone() }), "option 'key' needs 'cert'");
        // Without TLS nobody reads them.
        assert!(Security::new(&Tls { mode: TlsMode::Off, cacert: Some(file), ..base }, "h").is_ok());
    }
}
