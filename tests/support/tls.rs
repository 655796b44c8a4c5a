//! Certificates that tests make for themselves: an authority, what it issues, and what nobody should trust.
//!
//! Most tests use [`authority`], of which there is one per test program. A certificate is wished for by [`Wish`]:
//! `authority().issue(&Wish::default().expired())`.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::SupportedCipherSuite;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The authority of this test program.
pub fn authority() -> &'static Authority {
    static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::new("ftpfs test authority"));
    &AUTHORITY
}

/// Somebody who signs certificates.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// A new authority, unknown to everybody.
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no name is no bad name");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("ring makes keys");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("the parameters are complete") }
    }

    /// Its own certificate, for those who shall trust it.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Writes its certificate into `dir`.
    pub fn save(&self, dir: &Path) -> PathBuf {
        let path = dir.join("ca.pem");
        fs::write(&path, self.pem()).expect("the folder is ours");
        path
    }

    /// Signs a certificate with a new key.
    pub fn issue(&self, wish: &Wish) -> Certificate {
        let key = KeyPair::generate().expect("ring makes keys");
        let signed = wish.params().signed_by(&key, &self.issuer).expect("the parameters are complete");
        Certificate::new(signed.pem(), key.serialize_pem())
    }

    /// Those who trust this authority, for a TLS client or a server that asks for certificates.
    pub fn roots(&self) -> rustls::RootCertStore {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("an authority's certificate");
        roots
    }
}

/// What a certificate is to say.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Host names and addresses; the first is also the common name.
    pub names: Vec<String>,
    /// First day, as year, month and day.
    pub not_before: (i32, u8, u8),
    /// Last day.
    pub not_after: (i32, u8, u8),
    /// For logging in, not for serving.
    pub client: bool,
}

impl Default for Wish {
    /// A server on this machine, at any time.
    fn default() -> Self {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        Self { names, not_before: (2000, 1, 1), not_after: (2400, 1, 1), client: false }
    }
}

impl Wish {
    /// A server of this name, or at this address, and no other.
    pub fn named(name: &str) -> Self {
        Self { names: vec![name.to_owned()], ..Self::default() }
    }

    /// A client.
    pub fn client(name: &str) -> Self {
        Self { client: true, ..Self::named(name) }
    }

    /// Valid until some years ago.
    #[must_use]
    pub fn expired(self) -> Self {
        Self { not_after: (2020, 1, 1), ..self }
    }

    /// Valid from some centuries on.
    #[must_use]
    pub fn not_yet(self) -> Self {
        Self { not_before: (2300, 1, 1), ..self }
    }

    fn params(&self) -> CertificateParams {
        let day = |(year, month, day)| date_time_ymd(year, month, day);
        let mut params = CertificateParams::new(self.names.clone()).expect("names in ASCII");
        params.distinguished_name.push(DnType::CommonName, self.names[0].as_str());
        (params.not_before, params.not_after) = (day(self.not_before), day(self.not_after));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let usage = if self.client { ExtendedKeyUsagePurpose::ClientAuth } else { ExtendedKeyUsagePurpose::ServerAuth };
        params.extended_key_usages = vec![usage];
        params
    }
}

/// A certificate with its key.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate.
    pub cert_pem: String,
    /// Its private key.
    pub key_pem: String,
    /// SHA-256 of the certificate (of its DER form), as users compare it.
    pub sha256: [u8; 32],
}

/// Where [`Certificate::save`] has put it.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The certificate.
    pub cert: PathBuf,
    /// The key.
    pub key: PathBuf,
    /// Key and certificate in one file.
    pub both: PathBuf,
}

impl Certificate {
    /// A certificate that nobody has signed but its own key.
    pub fn self_signed(wish: &Wish) -> Self {
        let key = KeyPair::generate().expect("ring makes keys");
        let signed = wish.params().self_signed(&key).expect("the parameters are complete");
        Self::new(signed.pem(), key.serialize_pem())
    }

    /// One of X.509 version 1, without any extension, as old tools make it. Its signature fits nothing: whoever takes it
    /// does so for its fingerprint.
    pub fn of_version_1() -> Self {
        let modern = Self::self_signed(&Wish::default());
        let (chain, _) = modern.der();
        let (certificate, _) = content(&chain[0]);
        let (tbs, signature) = content(certificate);
        let mut fields = tbs;
        let mut kept = Vec::new();
        while let Some(&tag) = fields.first() {
            let (_, after) = content(fields);
            // [0], the version, and [3], the extensions.
            if !matches!(tag, 0xa0 | 0xa3) {
                kept.extend_from_slice(&fields[..fields.len() - after.len()]);
            }
            fields = after;
        }
        let sequence = |content: &[u8]| {
            // In as few bytes as can be, or it is no DER.
            let [high, low] = u16::try_from(content.len()).expect("short").to_be_bytes();
            let head = match (high, low) {
                (0, ..=0x7f) => vec![0x30, low],
                (0, _) => vec![0x30, 0x81, low],
                _ => vec![0x30, 0x82, high, low],
            };
            [head, content.to_vec()].concat()
        };
        let der = sequence(&[sequence(&kept), signature.to_vec()].concat());
        Self { cert_pem: pem("CERTIFICATE", &der), sha256: sha256(&der), key_pem: modern.key_pem }
    }

    fn new(cert_pem: String, key_pem: String) -> Self {
        let der = CertificateDer::from_pem_slice(cert_pem.as_bytes()).expect("just made");
        Self { sha256: sha256(&der), cert_pem, key_pem }
    }

    /// SHA-256 in lower case hexadecimal digits, without colons.
    pub fn fingerprint(&self) -> String {
        self.sha256.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a String takes everything");
            text
        })
    }

    /// Writes `NAME.crt`, `NAME.key` and `NAME.pem` into `dir`; the keys are readable by their owner alone.
    pub fn save(&self, dir: &Path, name: &str) -> Saved {
        let write = |ending: &str, text: &str, mode: u32| {
            let path = dir.join(format!("{name}.{ending}"));
            fs::write(&path, text).expect("the folder is ours");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("the file is ours");
            path
        };
        Saved {
            cert: write("crt", &self.cert_pem, 0o644),
            key: write("key", &self.key_pem, 0o600),
            both: write("pem", &format!("{}{}", self.key_pem, self.cert_pem), 0o600),
        }
    }

    /// What rustls wants of it.
    pub fn der(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let cert = CertificateDer::from_pem_slice(self.cert_pem.as_bytes()).expect("made by us");
        (vec![cert], PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).expect("made by us"))
    }
}

/// The TLS versions that a server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// 1.2 and 1.3.
    #[default]
    Both,
    /// 1.2.
    Only12,
    /// 1.3.
    Only13,
}

impl Versions {
    /// As rustls names them.
    pub fn known(self) -> &'static [&'static rustls::SupportedProtocolVersion] {
        static TLS12: [&rustls::SupportedProtocolVersion; 1] = [&rustls::version::TLS12];
        static TLS13: [&rustls::SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
        match self {
            Self::Both => rustls::ALL_VERSIONS,
            Self::Only12 => &TLS12,
            Self::Only13 => &TLS13,
        }
    }
}

/// The cryptography of all TLS in the tests, whatever else is linked into the program.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The content of the element of DER at the head of `bytes`, and what follows it.
fn content(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (len, head) = match bytes[1] {
        len @ ..=0x7f => (usize::from(len), 2),
        0x81 => (usize::from(bytes[2]), 3),
        _ => (usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), 4),
    };
    bytes[head..].split_at(len)
}

/// PEM of `der` (RFC 7468).
fn pem(label: &str, der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in der.chunks(3) {
        let number = chunk.iter().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        let digit = |at: usize| char::from(DIGITS[(number >> (18 - 6 * at)) as usize & 63]);
        text.extend((0..4).map(|at| if at > chunk.len() { '=' } else { digit(at) }));
        if text.rsplit('\n').next().is_some_and(|line| line.len() == 64) {
            text.push('\n');
        }
    }
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", text.trim_end())
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    // rustls has the hash inside: no crate for one number.
    let SupportedCipherSuite::Tls13(suite) = ring::cipher_suite::TLS13_AES_128_GCM_SHA256 else {
        unreachable!("its name says TLS 1.3");
    };
    suite.common.hash_provider.hash(bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}
