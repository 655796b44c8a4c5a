//! Replies (RFC 959 4.2): bytes of the control connection become a code and lines.
//!
//! `ddd-` opens a reply of several lines and only `ddd ` with the same code ends it, whatever stands between: listings,
//! empty lines, other numbers. [`ReplyParser`] remembers how far it has looked, so that a server that sends its reply
//! byte by byte costs one look at each byte; [`parse_reply`] is the same for a buffer that is looked at once.

use std::error::Error;
use std::fmt;

use super::text::{printable, says};

/// The three digits at the head of a reply: 100 to 659 (RFC 959 4.2.1; 6yz are RFC 2228's).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

impl Code {
    /// Takes 100 to 659.
    pub fn new(code: u16) -> Option<Self> {
        (100..=659).contains(&code).then_some(Self(code))
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }

    /// What the first digit says.
    pub fn class(self) -> Class {
        match self.0 / 100 {
            1 => Class::Preliminary,
            2 => Class::Completion,
            3 => Class::Intermediate,
            4 => Class::Transient,
            // 6yz wrap a reply in RFC 2228's protection, which is never asked for: such an answer is of no use.
            _ => Class::Permanent,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The meaning of a code's first digit (RFC 959 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// 1yz: begun, another reply follows.
    Preliminary,
    /// 2yz: done.
    Completion,
    /// 3yz: so far good, the next command is awaited.
    Intermediate,
    /// 4yz: refused, another time it may work.
    Transient,
    /// 5yz: refused.
    Permanent,
}

/// One whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its code.
    pub code: Code,
    /// Its lines without line ends and without `ddd ` or `ddd-`; at least one.
    ///
    /// ProFTPD's `MultilineRFC2228` puts `ddd-` before the lines between as well: it is taken off there, too.
    pub lines: Vec<Vec<u8>>,
}

impl Reply {
    /// What the first digit says.
    pub fn class(&self) -> Class {
        self.code.class()
    }

    /// The words for people, without the code: all lines joined by ` / `, or the last one where that is too much.
    ///
    /// Control bytes are escaped, and about 300 characters are the most.
    pub fn text(&self) -> String {
        let whole: usize = self.lines.iter().map(|line| line.len() + 3).sum();
        if whole <= TEXT_LIMIT {
            return printable(&self.lines.join(&b" / "[..]), TEXT_LIMIT);
        }
        printable(self.lines.last().map_or(&b""[..], Vec::as_slice), TEXT_LIMIT)
    }

    /// Whether this 1yz is the last word on a transfer.
    ///
    /// Pure-FTPd 1.0.50 ends a download whose data connection was closed early with nothing but the single line
    /// `150 0.101 seconds (measured here), 37.30 Mbytes per second`. The number at the head is asked for as well, because
    /// other servers put the file's name into their 150.
    pub fn is_final_measured(&self) -> bool {
        let [line] = self.lines.as_slice() else {
            return false;
        };
        let digits = line.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
        self.code.get() == 150 && digits > 0 && line[digits..].starts_with(b" seconds (measured here)")
    }

    /// Whether any line says `phrase`, whatever the case of ASCII letters.
    pub fn says(&self, phrase: &str) -> bool {
        self.lines.iter().any(|line| says(line, phrase))
    }
}

/// The code and [`Reply::text`].
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text())
    }
}

/// Reads one reply from the head of `buf`: the reply and how many bytes it took, or None if more are needed.
///
/// Each call looks at all of `buf`; where bytes arrive in pieces, [`ReplyParser`] looks at each of them once.
///
/// # Errors
/// What stands there is no reply, or exceeds what a sane server sends.
pub fn parse_reply(buf: &[u8]) -> Result<Option<(Reply, usize)>, BadReply> {
    ReplyParser::default().advance(buf)
}

/// Reads a reply that arrives in pieces.
#[derive(Clone, Debug, Default)]
pub struct ReplyParser {
    /// The code that opened a reply of several lines.
    open: Option<Code>,
    lines: Vec<Vec<u8>>,
    /// Where the unfinished line begins.
    line_start: usize,
    /// Up to where no further line end was found.
    scanned: usize,
}

impl ReplyParser {
    /// Goes on in `buf`, which holds the reply from its first byte on and has only grown since the last call.
    ///
    /// After a whole reply and how many bytes it took, the caller removes these and the parser stands at the beginning.
    ///
    /// # Errors
    /// As [`parse_reply`]; the connection is of no more use then.
    pub fn advance(&mut self, buf: &[u8]) -> Result<Option<(Reply, usize)>, BadReply> {
        loop {
            let fresh = buf.get(self.scanned..).unwrap_or_default();
            let Some(at) = fresh.iter().position(|&b| b == b'\n') else {
                self.scanned = self.scanned.max(buf.len());
                check_size(self.scanned - self.line_start, self.scanned)?;
                return Ok(None);
            };
            let end = self.scanned + at;
            let line = &buf[self.line_start..end];
            check_size(line.len(), end + 1)?;
            self.line_start = end + 1;
            self.scanned = end + 1;
            if let Some(code) = self.take(line.strip_suffix(b"\r").unwrap_or(line))? {
                let done = std::mem::take(self);
                return Ok(Some((Reply { code, lines: done.lines }, done.line_start)));
            }
        }
    }

    /// Takes in one line; the code if it was the last.
    fn take(&mut self, line: &[u8]) -> Result<Option<Code>, BadReply> {
        if self.lines.len() >= MAX_LINES {
            return Err(BadReply::TooManyLines);
        }
        let head = split_head(line);
        let (text, done) = match (self.open, head) {
            (None, None) => return Err(BadReply::NoReply(printable(line, 80).into())),
            (None, Some(head)) => {
                self.open = Some(head.code);
                (head.text, head.last)
            }
            (Some(open), Some(head)) if head.code == open => (head.text, head.last),
            (Some(_), _) => (line, false),
        };
        self.lines.push(text.to_vec());
        Ok(self.open.filter(|_| done))
    }
}

/// A line that begins with a code.
struct Head<'a> {
    code: Code,
    last: bool,
    text: &'a [u8],
}

/// None unless `line` is `ddd text`, `ddd-text` or a bare `ddd`.
fn split_head(line: &[u8]) -> Option<Head<'_>> {
    let (digits, rest) = line.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = Code::new(digits.iter().fold(0, |sum, b| sum * 10 + u16::from(b - b'0')))?;
    match rest {
        [] => Some(Head { code, last: true, text: rest }),
        [b' ', text @ ..] => Some(Head { code, last: true, text }),
        [b'-', text @ ..] => Some(Head { code, last: false, text }),
        _ => None,
    }
}

fn check_size(line: usize, reply: usize) -> Result<(), BadReply> {
    match (line > MAX_LINE, reply > MAX_REPLY) {
        (true, _) => Err(BadReply::LongLine),
        (_, true) => Err(BadReply::TooLong),
        _ => Ok(()),
    }
}

/// Why bytes are no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadReply {
    /// The first line begins with no code; its beginning, for people.
    NoReply(Box<str>),
    /// A line is longer than 64 KiB.
    LongLine,
    /// The reply is longer than 1 MiB.
    TooLong,
    /// The reply has more than 100,000 lines.
    TooManyLines,
}

impl fmt::Display for BadReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoReply(line) => write!(f, "not an FTP reply: {line}"),
            Self::LongLine => write!(f, "a line of the reply is longer than {MAX_LINE} bytes"),
            Self::TooLong => write!(f, "the reply is longer than {MAX_REPLY} bytes"),
            Self::TooManyLines => write!(f, "the reply has more than {MAX_LINES} lines"),
        }
    }
}

impl Error for BadReply {}

/// The directory that a 257 names: what stands between the first and the last `"` of its line.
///
/// RFC 959 appendix II doubles a `"` of the name; Pure-FTPd and inetutils do not. So doubling is undone only where every
/// run of `"` in the text has an even length. A name that really holds `""` on those two servers is misread; one that
/// holds single ones is not. None for other codes and for the empty name (vsftpd where the path is over 4,096 bytes).
pub fn parse_pwd(reply: &Reply) -> Option<Vec<u8>> {
    if reply.code.get() != 257 {
        return None;
    }
    let quoted = reply.lines.iter().find_map(|line| {
        let first = line.iter().position(|&b| b == b'"')?;
        let last = line.iter().rposition(|&b| b == b'"')?;
        line.get(first + 1..last)
    })?;
    if quoted.is_empty() {
        return None;
    }
    let doubled = quoted.chunk_by(|a, b| a == b).all(|run| run[0] != b'"' || run.len() % 2 == 0);
    if !doubled {
        return Some(quoted.to_vec());
    }
    let mut name = Vec::with_capacity(quoted.len());
    for run in quoted.chunk_by(|a, b| a == b) {
        let keep = if run[0] == b'"' { run.len() / 2 } else { run.len() };
        name.extend_from_slice(&run[..keep]);
    }
    Some(name)
}

/// FEAT and MLST replies have lines of some 300 bytes; STAT, never asked for, listings.
const MAX_LINE: usize = 64 << 10;
const MAX_REPLY: usize = 1 << 20;
const MAX_LINES: usize = 100_000;
/// A line in a log.
const TEXT_LIMIT: usize = 300;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(bytes: &[u8]) -> Reply {
        let (reply, used) = parse_reply(bytes).expect("a reply").expect("whole");
        assert_eq!(used, bytes.len());
        reply
    }

    fn lines(reply: &Reply) -> Vec<&str> {
        reply.lines.iter().map(|line| str::from_utf8(line).expect("ASCII")).collect()
    }

    #[test]
    fn replies_of_real_servers() {
        let table: &[(&[u8], u16, &[&str])] = &[
            (b"220 (vsFTPd 3.0.3)\r\n", 220, &["(vsFTPd 3.0.3)"]),
            (b"200\r\n", 200, &[""]),
            (b"200 \n", 200, &[""]),
            (b"226-Options: -a\n226 3 matches total\n", 226, &["Options: -a", "3 matches total"]),
            (b"211-Features:\r\n MDTM\r\n\r\n211 End\r\n", 211, &["Features:", " MDTM", "", "End"]),
            // ProFTPD, MultilineRFC2228.
            (b"211-Features:\r\n211-AUTH TLS\r\n211 End\r\n", 211, &["Features:", "AUTH TLS", "End"]),
            // Only the same code ends it.
            (b"230-a\r\n220 b\r\n2300\r\n230x\r\n230\r\n", 230, &["a", "220 b", "2300", "230x", ""]),
            // Pure-FTPd's greeting.
            (b"220---------- Welcome ----------\r\n220 bye\r\n", 220, &["--------- Welcome ----------", "bye"]),
        ];
        for (bytes, code, want) in table {
            let reply = whole(bytes);
            assert_eq!((reply.code.get(), lines(&reply)), (*code, want.to_vec()));
        }
    }

    #[test]
    fn an_unfinished_reply_waits_and_the_next_one_stays() {
        for part in [&b""[..], b"2", b"220", b"220 x", b"220-x\r\n", b"220-x\r\n220"] {
            assert_eq!(parse_reply(part), Ok(None), "{}", part.escape_ascii());
        }
        let (reply, used) = parse_reply(b"200 a\r\n226 b\r\n").expect("a reply").expect("whole");
        assert_eq!((lines(&reply), used), (vec!["a"], 7));
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for bad in [&b"\r\n"[..], b"hello\r\n", b"099 x\r\n", b"660 x\r\n", b"20 x\r\n", b"200x\r\n", b" 200 x\r\n"] {
            assert!(matches!(parse_reply(bad), Err(BadReply::NoReply(_))), "{}", bad.escape_ascii());
        }
        assert_eq!(parse_reply(&[b'1'; 70_000]), Err(BadReply::LongLine));
        let many = [&b"220-\n"[..], &b"\n".repeat(100_000)].concat();
        assert_eq!(parse_reply(&many), Err(BadReply::TooManyLines));
        let long = [&b"220-\n"[..], &[&[b'x'; 9_999][..], b"\n"].concat().repeat(105)].concat();
        assert_eq!(parse_reply(&long), Err(BadReply::TooLong));
    }

    #[test]
    fn a_reply_that_drips_in_costs_one_look_at_each_byte() {
        let bytes = [&b"220-\n"[..], &b"123456789\n".repeat(90_000), b"220 end\n"].concat();
        let mut parser = ReplyParser::default();
        for len in 0..bytes.len() {
            assert_eq!(parser.advance(&bytes[..len]), Ok(None));
        }
        let (reply, used) = parser.advance(&bytes).expect("a reply").expect("whole");
        assert_eq!((reply.lines.len(), used), (90_002, bytes.len()));
        assert_eq!(parser.advance(b"200 x\n").expect("a reply").expect("whole").1, 6);
    }

    #[test]
    fn only_the_measured_150_is_final() {
        assert!(whole(b"150 0.101 seconds (measured here), 37.30 Mbytes per second\r\n").is_final_measured());
        for start in [
            &b"150 Opening BINARY mode data connection for 1 seconds (measured here) (12 bytes)\r\n"[..],
            b"150 About to start data transfer.\r\n",
            b"150-Accepted data connection\r\n150 0.1 seconds (measured here)\r\n",
            b"226 0.000 seconds (measured here), 1.00 Mbytes per second\r\n",
            b"150 seconds (measured here)\r\n",
        ] {
            assert!(!whole(start).is_final_measured(), "{}", start.escape_ascii());
        }
    }

    #[test]
    fn working_directories() {
        let table: &[(&[u8], Option<&[u8]>)] = &[
            (b"257 \"/\" is the current directory\r\n", Some(b"/")),
            (b"257 \"/home/u\" is current directory.\r\n", Some(b"/home/u")),
            (b"257 \"/a\"\"b\" is the current directory\r\n", Some(b"/a\"b")),
            (b"257 \"/a\"b\" is your current location\r\n", Some(b"/a\"b")),
            (b"257 \"/a\"\"\"\r\n", Some(b"/a\"")),
            (b"257 \"\"\r\n", None),
            (b"257 /\r\n", None),
            (b"257 \"\r\n", None),
            (b"250 \"/\"\r\n", None),
        ];
        for (bytes, want) in table {
            assert_eq!(parse_pwd(&whole(bytes)).as_deref(), *want, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn words_for_people() {
        let reply = whole(b"554-Restart offset 13 is too large.\r\n554 Reset\x1b[2J to 0\r\n");
        assert_eq!(reply.to_string(), "554 Restart offset 13 is too large. / Reset\\u{1b}[2J to 0");
        let long = whole(&[b"211-x\r\n", &b"y\r\n".repeat(200)[..], b"211 End\r\n"].concat());
        assert_eq!(long.text(), "End");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_the_same_in_pieces(bytes in noise(), cuts in prop::collection::vec(0usize..400, 0..8)) {
            let mut parser = ReplyParser::default();
            let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut < bytes.len()).collect();
            cuts.sort_unstable();
            cuts.push(bytes.len());
            let in_pieces = cuts.iter().map(|&cut| parser.advance(&bytes[..cut])).find(|got| *got != Ok(None));
            let at_once = parse_reply(&bytes);
            prop_assert_eq!(in_pieces.unwrap_or(Ok(None)), at_once.clone());
            if let Ok(Some((reply, used))) = at_once {
                prop_assert!(used <= bytes.len() && !reply.lines.is_empty() && reply.text().len() < 3_000);
                let _ = (parse_pwd(&reply), reply.is_final_measured(), reply.class());
            }
        }
    }

    /// Any bytes, and bytes that look like replies.
    fn noise() -> impl Strategy<Value = Vec<u8>> {
        let reply = prop::string::bytes_regex("((220|257|1)[- ]?[\"a ]{0,6}(\r\n|\n)?){0,8}").expect("a regex");
        prop_oneof![prop::collection::vec(any::<u8>(), 0..400), reply]
    }
}
