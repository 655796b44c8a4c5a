//! Where the next data connection goes: the answers to EPSV (RFC 2428) and PASV (RFC 959), and the arguments of EPRT and
//! PORT.

use std::net::{IpAddr, SocketAddr, SocketAddrV4};

use super::reply::Reply;
use super::text::number;

/// The argument of EPRT: `|1|192.0.2.7|6275|`, or `|2|` and an IPv6 address.
///
/// An address of IPv4 in the clothes of IPv6 (`::ffff:192.0.2.7`) is one of IPv4; a zone means nothing to the server.
pub fn eprt(address: &SocketAddr) -> String {
    let ip = address.ip().to_canonical();
    let protocol = if ip.is_ipv4() { 1 } else { 2 };
    format!("|{protocol}|{ip}|{}|", address.port())
}

/// The argument of PORT: `192,0,2,7,24,131`.
pub fn port(address: &SocketAddrV4) -> String {
    let [a, b, c, d] = address.ip().octets();
    let [high, low] = address.port().to_be_bytes();
    format!("{a},{b},{c},{d},{high},{low}")
}

/// The address that PORT can name, if it can.
pub fn for_port(address: &SocketAddr) -> Option<SocketAddrV4> {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => Some(SocketAddrV4::new(ip, address.port())),
        IpAddr::V6(_) => None,
    }
}

/// The port in `229 Entering Extended Passive Mode (|||port|)`; the delimiter may be any printable character but a digit.
pub fn parse_epsv(reply: &Reply) -> Option<u16> {
    if reply.code.get() != 229 {
        return None;
    }
    reply.lines.iter().find_map(|line| {
        let mut opens = line.iter().enumerate().filter(|(_, b)| **b == b'(');
        opens.find_map(|(at, _)| port_in_parentheses(&line[at + 1..]))
    })
}

fn port_in_parentheses(text: &[u8]) -> Option<u16> {
    let (&[a, b, c], rest) = text.split_first_chunk()?;
    if a != b || b != c || !a.is_ascii_graphic() || a.is_ascii_digit() {
        return None;
    }
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let port = number(&rest[..digits])?;
    if rest.get(digits) != Some(&a) {
        return None;
    }
    u16::try_from(port).ok().filter(|port| *port != 0)
}

/// Address and port in `227 Entering Passive Mode (h1,h2,h3,h4,p1,p2)`.
///
/// RFC 1123 4.1.2.6: parentheses and words vary, so the numbers are looked for. Over IPv6, ProFTPD sends `(1,145,249)` and
/// pyftpdlib `(::1,218,123)`: None. Behind NAT the address is wrong on many servers; the control connection's is not.
pub fn parse_pasv(reply: &Reply) -> Option<([u8; 4], u16)> {
    if reply.code.get() != 227 {
        return None;
    }
    reply.lines.iter().find_map(|line| {
        let mut starts = (0..line.len()).filter(|&at| {
            let before = at.checked_sub(1).map(|before| line[before]);
            line[at].is_ascii_digit() && !before.is_some_and(|b| b.is_ascii_digit() || b == b',')
        });
        starts.find_map(|at| six_numbers(&line[at..]))
    })
}

fn six_numbers(text: &[u8]) -> Option<([u8; 4], u16)> {
    let mut numbers = [0u8; 6];
    let mut rest = text;
    for (i, slot) in numbers.iter_mut().enumerate() {
        if i > 0 {
            rest = rest.strip_prefix(b",")?;
        }
        let digits = rest.iter().take(4).take_while(|b| b.is_ascii_digit()).count();
        if digits > 3 {
            return None;
        }
        *slot = u8::try_from(number(&rest[..digits])?).ok()?;
        rest = &rest[digits..];
    }
    if rest.first() == Some(&b',') {
        return None;
    }
    let [a, b, c, d, high, low] = numbers;
    let port = u16::from_be_bytes([high, low]);
    (port != 0).then_some(([a, b, c, d], port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reply::parse_reply;
    use super::*;

    fn reply(line: &[u8]) -> Reply {
        parse_reply(&[line, b"\r\n"].concat()).expect("a reply").expect("whole").0
    }

    #[test]
    fn epsv_of_real_servers() {
        let table: &[(&[u8], Option<u16>)] = &[
            (b"229 Entering Extended Passive Mode (|||53587|)", Some(53587)),
            (b"229 Extended Passive mode OK (|||32605|)", Some(32605)),
            (b"229 Entering extended passive mode (|||58383|).", Some(58383)),
            (b"229 (EPSV) OK (!!!1!)", Some(1)),
            (b"229 OK (|||65535|)", Some(65535)),
            (b"229 OK (|||65536|)", None),
            (b"229 OK (|||0|)", None),
            (b"229 OK (|||123)", None),
            (b"229 OK (||123|)", None),
            (b"229 OK (11151)", None),
            (b"229 OK (|||99999999999999999999999|)", None),
            (b"229 OK", None),
            (b"227 OK (|||123|)", None),
        ];
        for (line, want) in table {
            assert_eq!(parse_epsv(&reply(line)), *want, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn pasv_of_real_servers() {
        let table: &[(&[u8], _)] = &[
            (b"227 Entering Passive Mode (127,0,0,1,250,29).", Some(([127, 0, 0, 1], 64029))),
            (b"227 Entering passive mode 10,0,0,1,4,1", Some(([10, 0, 0, 1], 1025))),
            (b"227 =203,0,113,7,0,21", Some(([203, 0, 113, 7], 21))),
            (b"227 Node 2 enters Passive Mode (127,0,0,1,4,0)", Some(([127, 0, 0, 1], 1024))),
            (b"227 (0,0,0,0,31,21)", Some(([0; 4], 7957))),
            // ProFTPD and pyftpdlib over IPv6.
            (b"227 Entering Passive Mode (1,145,249).", None),
            (b"227 Entering passive mode (::1,218,123).", None),
            (b"227 (256,0,0,1,4,1)", None),
            (b"227 (1,2,3,4,0,0)", None),
            (b"227 (1,2,3,4,5,6,7)", None),
            (b"227 (1,2,3,4,5,0006)", None),
            (b"229 (1,2,3,4,5,6)", None),
        ];
        for (line, want) in table {
            assert_eq!(parse_pasv(&reply(line)), *want, "{}", line.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_address_or_none(
            line in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..200),
                prop::string::bytes_regex("[(|,0-9]{0,60}").expect("a regex"),
            ],
        ) {
            for code in [&b"227-"[..], b"229-"] {
                let bytes = [code, b"\r\n", &line, b"\r\n", &code[..3], b" \r\n"].concat();
                if let Ok(Some((reply, _))) = parse_reply(&bytes) {
                    let _ = (parse_epsv(&reply), parse_pasv(&reply));
                }
            }
        }

        #[test]
        fn what_a_server_means_is_what_is_read(host: [u8; 4], port in 1u16..) {
            let [a, b, c, d] = host;
            let pasv = format!("227 Passive ({a},{b},{c},{d},{},{})", port >> 8, port & 255);
            prop_assert_eq!(parse_pasv(&reply(pasv.as_bytes())), Some((host, port)));
            let epsv = format!("229 Passive (|||{port}|)");
            prop_assert_eq!(parse_epsv(&reply(epsv.as_bytes())), Some(port));
        }
    }
}
