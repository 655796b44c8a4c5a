//! Replies: in pieces or at once, they are the same; what is made of them stays small.

use ftpfs::ftp::classify::{Found, GREETING, MDTM_SET, Verdict, classify, knows, listing_truncated, refusal, too_many};
use ftpfs::ftp::listing::mlsd::parse_mlst;
use ftpfs::ftp::listing::time::{parse_mdtm, parse_size};
use ftpfs::ftp::reply::{BadReply, Class, Reply, ReplyParser, parse_pwd, parse_reply};

use super::is_printable;

/// Reads one reply after the other, as a connection does.
pub fn check(data: &[u8]) {
    let (mut rest, mut drip, mut gulps) = (data, ReplyParser::default(), ReplyParser::default());
    loop {
        let at_once = parse_reply(rest);
        assert_eq!(in_pieces(&mut drip, rest, 1), at_once);
        assert_eq!(in_pieces(&mut gulps, rest, 7), at_once);
        match at_once {
            Ok(Some((reply, used))) => {
                assert!((4..=rest.len()).contains(&used), "{used} of {} bytes", rest.len());
                look_at(&reply, used);
                rest = &rest[used..];
            }
            Ok(None) => return,
            Err(error) => {
                assert!(is_printable(&error.to_string()) && error.to_string().len() < 1_000, "{error}");
                return;
            }
        }
    }
}

/// Shows `bytes` to the parser in pieces of `size`.
fn in_pieces(parser: &mut ReplyParser, bytes: &[u8], size: usize) -> Result<Option<(Reply, usize)>, BadReply> {
    let cuts = (size..bytes.len()).step_by(size).chain([bytes.len()]);
    cuts.map(|cut| parser.advance(&bytes[..cut])).find(|got| *got != Ok(None)).unwrap_or(Ok(None))
}

fn look_at(reply: &Reply, used: usize) {
    assert!(!reply.lines.is_empty() && reply.lines.iter().all(|line| !line.contains(&b'\n')));
    assert!(reply.lines.iter().map(|line| line.len() + 1).sum::<usize>() <= used);
    let text = reply.to_string();
    assert!(is_printable(&text) && text.len() < 3_000, "{text}");
    assert!(parse_pwd(reply).is_none_or(|dir| !dir.is_empty() && dir.len() < used));
    assert!(parse_mdtm(reply).is_none_or(|time| time.nanos < 1_000_000_000));
    let _ =
        (parse_size(reply), parse_mlst(reply), reply.is_final_measured(), listing_truncated(reply), too_many(reply));
    judge(reply, VERBS[used % VERBS.len()]);
}

/// Asks what a refusal means.
fn judge(reply: &Reply, verb: &'static str) {
    let _ = knows(verb, reply);
    let path = reply.lines.concat();
    for path in [&path[..], b"/some/path", b""] {
        let kind = match classify(verb, reply, path) {
            Verdict::Sure(kind) => kind,
            Verdict::Ask(question) => question.settle(Found::Unknown),
        };
        let error = refusal(verb, reply, kind).to_string();
        assert!(is_printable(&error), "{error}");
    }
    // What a file's name says, the server has not said.
    if matches!(reply.code.get(), 550 | 553) && matches!(reply.class(), Class::Permanent) {
        assert!(matches!(classify("RETR", reply, &path), Verdict::Ask(_)), "{reply}");
    }
}

const VERBS: [&str; 22] = [
    GREETING,
    MDTM_SET,
    "ACCT",
    "APPE",
    "AUTH",
    "CWD",
    "DELE",
    "EPRT",
    "EPSV",
    "LIST",
    "MFMT",
    "MKD",
    "MLSD",
    "MLST",
    "PASS",
    "PASV",
    "RETR",
    "RMD",
    "RNTO",
    "SITE CHMOD",
    "STOR",
    "USER",
];
