//! The public key in a certificate that webpki does not read.
//!
//! Certificates of X.509 version 1 have no names and no extensions, so nothing about them can be verified but that the
//! server holds their key. Old devices have them, and OpenSSL before version 3 made them unless told otherwise; who pins
//! one needs no more.

use rustls::Error;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::{CertificateError, DigitallySignedStruct, PeerMisbehaved};

/// Whether webpki reads it.
pub(super) fn is_readable(cert: &CertificateDer<'_>) -> bool {
    webpki::EndEntityCert::try_from(cert).is_ok()
}

/// Verifies what the server has signed in the handshake of TLS 1.2 (RFC 5246 7.4.3).
pub(super) fn verify_tls12(
    message: &[u8],
    cert: &CertificateDer<'_>,
    dss: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let key = public_key(cert).ok_or(CertificateError::BadEncoding)?;
    let entity = webpki::RawPublicKeyEntity::try_from(&key).map_err(|_| CertificateError::BadEncoding)?;
    let fitting = algorithms.mapping.iter().find(|(scheme, _)| *scheme == dss.scheme);
    let (_, fitting) = fitting.ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
    let good = fitting.iter().any(|alg| entity.verify_signature(*alg, message, dss.signature()).is_ok());
    if good { Ok(HandshakeSignatureValid::assertion()) } else { Err(CertificateError::BadSignature.into()) }
}

/// The same in TLS 1.3 (RFC 8446 4.4.3).
pub(super) fn verify_tls13(
    message: &[u8],
    cert: &CertificateDer<'_>,
    dss: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let key = public_key(cert).ok_or(CertificateError::BadEncoding)?;
    verify_tls13_signature_with_raw_key(message, &key, dss, algorithms)
}

/// The `SubjectPublicKeyInfo` of a certificate of any version (RFC 5280 4.1).
fn public_key<'a>(cert: &'a CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'a>> {
    let (certificate, _) = element(cert, SEQUENCE)?;
    let (mut rest, _) = element(certificate.content, SEQUENCE).map(|(tbs, after)| (tbs.content, after))?;
    // Version 1 is the default and not written.
    if let Some((_, after)) = element(rest, VERSION) {
        rest = after;
    }
    // Serial number, signature algorithm, issuer, validity, subject.
    for tag in [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE] {
        (_, rest) = element(rest, tag)?;
    }
    let (key, _) = element(rest, SEQUENCE)?;
    Some(SubjectPublicKeyInfoDer::from(key.whole))
}

/// One element of DER.
struct Element<'a> {
    whole: &'a [u8],
    content: &'a [u8],
}

/// The element at the head of `bytes`, if it has this tag, and what follows it (X.690 8.1, lengths up to 64 KiB).
fn element(bytes: &[u8], tag: u8) -> Option<(Element<'_>, &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = match (first, rest) {
        (len @ ..=0x7f, rest) => (usize::from(len), rest),
        (0x81, [len, rest @ ..]) => (usize::from(*len), rest),
        (0x82, [high, low, rest @ ..]) => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(len)?;
    let whole = &bytes[..bytes.len() - after.len()];
    (found == tag).then_some((Element { whole, content }, after))
}

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
/// `[0] EXPLICIT`.
const VERSION: u8 = 0xa0;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut all = vec![tag];
        match u8::try_from(content.len()) {
            Ok(len @ ..=0x7f) => all.push(len),
            Ok(len) => all.extend([0x81, len]),
            Err(_) => all.extend([&[0x82][..], &u16::try_from(content.len()).expect("short").to_be_bytes()].concat()),
        }
        [all, content.to_vec()].concat()
    }

    fn certificate(version: &[u8], key: &[u8]) -> CertificateDer<'static> {
        let names = der(SEQUENCE, &[7; 200]);
        let fields =
            [version, &der(INTEGER, &[1]), &der(SEQUENCE, b""), &names, &der(SEQUENCE, &[7; 300]), &names, key];
        let tbs = der(SEQUENCE, &fields.concat());
        CertificateDer::from(der(SEQUENCE, &[tbs, der(SEQUENCE, b""), vec![3, 1, 0]].concat()))
    }

    #[test]
    fn the_key_is_found_in_every_version() {
        let key = der(SEQUENCE, b"the key");
        for version in [vec![], der(VERSION, &[INTEGER, 1, 2])] {
            let cert = certificate(&version, &key);
            assert_eq!(public_key(&cert).expect("a key").as_ref(), key);
        }
        assert!(public_key(&certificate(b"", b"")).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_certificate_or_none(bytes in prop::collection::vec(any::<u8>(), 0..80), cut in 0usize..700) {
            drop(public_key(&CertificateDer::from(bytes)));
            let whole = certificate(b"", &der(SEQUENCE, b"the key"));
            let part = CertificateDer::from(whole[..cut.min(whole.len() - 1)].to_vec());
            prop_assert!(public_key(&part).is_none());
        }
    }
}
