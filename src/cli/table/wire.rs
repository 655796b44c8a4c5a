//! What travels: encryption, data connections, names and listings.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use encoding_rs::Encoding;
use jiff::tz::{Offset, TimeZone};

use super::Group::{Data, Encryption, Names};
use super::{Setting, absolute, row};
use crate::cli::values::text;
use crate::config::{Advertise, DataMode, TlsMode, TlsVersions};

fn tls_mode(value: &[u8]) -> Result<Option<TlsMode>, String> {
    match text(value)? {
        "off" => Ok(Some(TlsMode::Off)),
        "try" => Ok(Some(TlsMode::Try)),
        "require" => Ok(Some(TlsMode::Require)),
        other => Err(format!("'{other}' is not one of off, try, require")),
    }
}

fn tls_versions(value: &[u8]) -> Result<TlsVersions, String> {
    match text(value)? {
        "any" => Ok(TlsVersions::Any),
        "1.2" => Ok(TlsVersions::Only12),
        "1.3" => Ok(TlsVersions::Only13),
        other => Err(format!("'{other}' is not one of any, 1.2, 1.3")),
    }
}

/// A SHA-256 fingerprint as `openssl x509 -fingerprint -sha256` prints it: 64 hexadecimal digits, colons as one likes.
fn pin(value: &[u8]) -> Result<[u8; 32], String> {
    let bad = || "a SHA-256 fingerprint of 64 hexadecimal digits is needed".to_string();
    let text = text(value)?;
    // `sha256 Fingerprint=`, or `sha256:`.
    let digits = text.rsplit_once('=').filter(|(head, _)| head.eq_ignore_ascii_case("sha256 fingerprint"));
    let digits = digits.map_or(text, |(_, digits)| digits);
    let digits = digits.get(..7).filter(|head| head.eq_ignore_ascii_case("sha256:")).map_or(digits, |_| &digits[7..]);
    let digits: Vec<u8> = digits.bytes().filter(|b| *b != b':').collect();
    let mut pin = [0; 32];
    if digits.len() != 2 * pin.len() {
        return Err(bad());
    }
    for (byte, pair) in pin.iter_mut().zip(digits.chunks_exact(2)) {
        let nibble = |digit: u8| char::from(digit).to_digit(16);
        let both = nibble(pair[0]).zip(nibble(pair[1])).ok_or_else(bad)?;
        *byte = (both.0 << 4 | both.1) as u8;
    }
    Ok(pin)
}

/// The `ADDR` of curl's and curlftpfs's ftp-port: `-`, an address, an interface or a host name.
fn advertise(value: &[u8]) -> Result<Advertise, String> {
    let text = text(value)?;
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if text == "-" {
        Ok(Advertise::Own)
    } else if let Ok(address) = bare.parse::<IpAddr>() {
        Ok(Advertise::Address(address))
    } else if text.chars().any(|c| !c.is_ascii_digit() && c != '.')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._@".contains(c))
    {
        Ok(Advertise::Named(text.into()))
    } else {
        Err(format!("'{text}' is no address, interface or host name, and not -"))
    }
}

fn ports(value: &[u8]) -> Result<Option<RangeInclusive<u16>>, String> {
    let text = text(value)?;
    let port = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u16>().ok()).flatten();
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    port(low)
        .zip(port(high))
        .filter(|(low, high)| (1024..=*high).contains(low))
        .map(|(low, high)| Some(low..=high))
        .ok_or_else(|| format!("'{text}' is not a range of ports such as 40000-40100, within 1024-65535"))
}

fn encoding(value: &[u8]) -> Result<Option<&'static Encoding>, String> {
    // The two encodings of UTF-16 cannot travel in a command line, and "replacement" is no encoding at all.
    // Windows and iconv know some by numbers that the standard leaves out.
    let label: &[u8] = match value.to_ascii_lowercase().as_slice() {
        b"cp932" => b"shift_jis",
        b"cp936" => b"gbk",
        b"cp949" => b"euc-kr",
        b"cp950" => b"big5",
        b"cp65001" => b"utf-8",
        _ => value,
    };
    Encoding::for_label_no_replacement(label)
        .filter(|e| e.output_encoding() == *e)
        .map(Some)
        .ok_or_else(|| format!("'{}' is no encoding such as utf-8, windows-1252 or gbk", value.escape_ascii()))
}

/// `Europe/Berlin`, `UTC`, `+09:00`, `-0330`, `+9`.
fn timezone(value: &[u8]) -> Result<Option<TimeZone>, String> {
    let text = text(value)?;
    let bad = || format!("'{text}' is no time zone such as Europe/Berlin, UTC or +09:00");
    if let Some(offset) = offset(text) {
        return Ok(Some(TimeZone::fixed(offset)));
    }
    if text.eq_ignore_ascii_case("utc") || text.eq_ignore_ascii_case("gmt") {
        return Ok(Some(TimeZone::UTC));
    }
    TimeZone::get(text).map(Some).map_err(|_| bad())
}

fn offset(text: &str) -> Option<Offset> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(both) => both,
        None if digits.len() == 4 => digits.split_at(2),
        None => (digits, "0"),
    };
    let number = |digits: &str, most: i32| {
        let plain = (1..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| digits.parse::<i32>().ok()).flatten().filter(|n| *n <= most)
    };
    Offset::from_seconds(sign * (number(hours, 14)? * 3600 + number(minutes, 59)? * 60)).ok()
}

fn custom_list(value: &[u8]) -> Result<Option<Vec<u8>>, String> {
    // Any other command would be carried out in every directory that somebody looks at.
    let is_list = value.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"LIST"))
        && value.get(4).is_none_or(|b| *b == b' ')
        && !value.iter().any(|b| b"\r\n\0".contains(b));
    if !is_list {
        return Err("LIST with arguments is needed, such as LIST -al".into());
    }
    Ok(Some(value.to_vec()))
}

pub(super) static ROWS: &[Setting] = &[
    Setting {
        value: Some("WHEN"),
        ..row(
            Encryption,
            "tls",
            "off, try or require; try unless given, require with ftpes:// or a certificate option",
            read!(tls_mode by tls_mode),
        )
    },
    Setting {
        aliases: &["explicit_tls"],
        ..row(Encryption, "ssl", "The same as tls=require", on!(tls_mode = Some(TlsMode::Require)))
    },
    row(Encryption, "ssl_try", "The same as tls=try", on!(tls_mode = Some(TlsMode::Try))),
    row(
        Encryption,
        "ssl_control",
        "tls=require, but data travels in the clear",
        on!(tls_mode = Some(TlsMode::Require), tls.clear_data = true),
    ),
    row(
        Encryption,
        "implicit",
        "TLS from the first byte on, as with ftps://; port 990 unless given",
        on!(implicit = true),
    ),
    Setting {
        value: Some("FILE"),
        ..row(
            Encryption,
            "cacert",
            "Believe the authorities in this PEM file, not the system's",
            read!(tls.cacert by absolute),
        )
    },
    Setting {
        value: Some("DIR"),
        ..row(
            Encryption,
            "capath",
            "Believe the authorities in the PEM files of this directory, not the system's",
            read!(tls.capath by absolute),
        )
    },
    Setting {
        value: Some("FILE"),
        ..row(Encryption, "cert", "Show the server the certificate in this PEM file", read!(tls.cert by absolute))
    },
    Setting {
        value: Some("FILE"),
        ..row(Encryption, "key", "Its key, where the file of cert does not hold it", read!(tls.key by absolute))
    },
    Setting {
        value: Some("SHA256"),
        ..row(
            Encryption,
            "pin",
            "Accept the certificate with this fingerprint and no other; may be repeated",
            |draft, value| {
                draft.tls.pins.push(pin(value)?);
                Ok(())
            },
        )
    },
    row(
        Encryption,
        "no_verify_hostname",
        "Accept a certificate of another host: whoever has one can read and change everything",
        on!(tls.verify_name = false),
    ),
    Setting {
        aliases: &["no_check_certificate"],
        ..row(
            Encryption,
            "no_verify_peer",
            "Accept any certificate: whoever sits between can read and change everything",
            on!(tls.verify_peer = false),
        )
    },
    Setting {
        value: Some("VERSION"),
        ..row(Encryption, "tls_version", "any, 1.2 or 1.3; any unless given", read!(tls.versions by tls_versions))
    },
    row(Encryption, "disable_tls13", "The same as tls_version=1.2", on!(tls.versions = TlsVersions::Only12)),
    row(Data, "active", "The server connects to us: EPRT and PORT", on!(data.mode = DataMode::Active)),
    row(
        Data,
        "passive",
        "Never the server to us, even where it refuses EPSV and PASV",
        on!(data.mode = DataMode::Passive),
    ),
    Setting {
        value: Some("ADDR"),
        ..row(
            Data,
            "ftp_port",
            "active, and tell the server this address, interface or host name; - is our own",
            |draft, value| {
                draft.data.advertise = advertise(value)?;
                draft.data.mode = DataMode::Active;
                Ok(())
            },
        )
    },
    Setting {
        value: Some("LOW-HIGH"),
        ..row(Data, "active_ports", "Listen on these ports only", read!(data.ports by ports))
    },
    row(Data, "disable_eprt", "Never send EPRT, always PORT", on!(data.disable_eprt = true)),
    row(
        Data,
        "skip_pasv_ip",
        "Ignore the address in the reply to PASV, the default",
        on!(data.trust_pasv_address = false),
    ),
    row(
        Data,
        "trust_pasv_ip",
        "Connect to the address in the reply to PASV, wherever it leads",
        on!(data.trust_pasv_address = true),
    ),
    Setting {
        value: Some("ENCODING"),
        ..row(
            Names,
            "codepage",
            "Encoding of names on the server, such as gbk; UTF-8 or plain bytes unless given",
            read!(listing.encoding by encoding),
        )
    },
    Setting {
        value: Some("ZONE"),
        ..row(
            Names,
            "timezone",
            "Time zone of listings, such as Asia/Tokyo or +09:00; found out unless given",
            read!(listing.timezone by timezone),
        )
    },
    Setting {
        value: Some("COMMAND"),
        ..row(
            Names,
            "custom_list",
            "Send this in place of LIST -a, without MLSD",
            read!(listing.command by custom_list),
        )
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_as_openssl_prints_them() {
        let hex = "ab".repeat(32);
        let colons = ["AB"; 32].join(":");
        for text in [&hex, &colons, &format!("sha256:{hex}"), &format!("sha256 Fingerprint={colons}")] {
            assert_eq!(pin(text.as_bytes()), Ok([0xab; 32]), "{text}");
        }
        for bad in ["", "ab", "sha1:ab", &"xy".repeat(32), &hex[1..], &format!("{hex}00")] {
            assert!(pin(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn zones_by_name_and_by_number() {
        let seconds = |text: &str| {
            let zone = timezone(text.as_bytes()).ok().flatten()?;
            Some(zone.to_offset(jiff::Timestamp::UNIX_EPOCH).seconds())
        };
        for (text, want) in [
            ("utc", Some(0)),
            ("+09:00", Some(32_400)),
            ("-0330", Some(-12_600)),
            ("+9", Some(32_400)),
            ("Asia/Tokyo", Some(32_400)),
            ("America/St_Johns", Some(-12_600)),
            ("+25", None),
            ("9", None),
            ("+1:2:3", None),
            ("Mars/Base", None),
            ("", None),
        ] {
            assert_eq!(seconds(text), want, "{text}");
        }
    }

    #[test]
    fn addresses_and_ports() {
        let address = |text: &str| advertise(text.as_bytes());
        assert_eq!(address("-"), Ok(Advertise::Own));
        assert_eq!(address("10.0.0.1"), Ok(Advertise::Address([10, 0, 0, 1].into())));
        assert_eq!(address("[::1]"), address("::1"));
        assert_eq!(address("eth0"), Ok(Advertise::Named("eth0".into())));
        // The C library would take 1.2.3 for 1.2.0.3.
        assert!(address("a b").is_err() && address("").is_err() && address("1.2.3").is_err());
        assert_eq!(ports(b"40000-40100"), Ok(Some(40000..=40100)));
        assert_eq!(ports(b"40000"), Ok(Some(40000..=40000)));
        for bad in ["", "-", "80-90", "5000-4000", "1-70000", "+5000"] {
            assert!(ports(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_but_list_lists() {
        for good in ["LIST", "list -al", "LIST -a /"] {
            assert_eq!(custom_list(good.as_bytes()), Ok(Some(good.into())));
        }
        for bad in ["", "DELE x", "LISTEN", "LIST\r\nDELE x", "NLST"] {
            assert!(custom_list(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn encodings_that_names_can_have() {
        for (label, want) in
            [("GBK", "GBK"), ("latin1", "windows-1252"), ("utf8", "UTF-8"), ("koi8-r", "KOI8-R"), ("CP949", "EUC-KR")]
        {
            assert_eq!(encoding(label.as_bytes()).ok().flatten().map(Encoding::name), Some(want), "{label}");
        }
        for bad in ["utf-16", "replacement", "klingon", ""] {
            assert!(encoding(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
