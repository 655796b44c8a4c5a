//! Where data connections go: the answers to EPSV and PASV.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use ftpfs::ftp::address::{eprt, for_port, parse_epsv, parse_pasv, port};

use super::{holds, reply};

/// Takes the bytes for the words of a 229 and of a 227.
pub fn check(data: &[u8]) {
    let line = data.split(|&b| b == b'\n').next().unwrap_or_default();
    let answer = |code: &str| reply(&[code.as_bytes(), line, b"\r\n"].concat());
    if let Some(found) = answer("229 ").and_then(|reply| parse_epsv(&reply)) {
        assert!(found != 0 && holds(line, found.to_string().as_bytes()), "{found}");
        // RFC 2428: the answer to EPSV is written as the argument of EPRT.
        let again = eprt(&SocketAddr::from(([0; 4], found))).replace("1|0.0.0.0", "|");
        assert_eq!(reply(format!("229 ({again})\r\n").as_bytes()).and_then(|reply| parse_epsv(&reply)), Some(found));
    }
    if let Some((host, number)) = answer("227 ").and_then(|reply| parse_pasv(&reply)) {
        assert!(number != 0);
        let address = SocketAddrV4::new(Ipv4Addr::from(host), number);
        let again = format!("227 {}\r\n", port(&address));
        assert_eq!(reply(again.as_bytes()).and_then(|reply| parse_pasv(&reply)), Some((host, number)));
        assert_eq!(for_port(&address.into()), Some(address));
    }
    for code in ["227 ", "229 "] {
        let reply = answer(code);
        assert!(reply.is_none_or(|reply| parse_epsv(&reply).is_none() || parse_pasv(&reply).is_none()));
    }
}
