//! How a path fits into command lines: as it is, or step by step where it is longer than the server's lines may be.
//!
//! `CWD /the/first/part`, `CWD ./more` and then the verb with `./name`: a leading `./` keeps names that begin with `-`,
//! `~` or a blank from being anything else. All other paths are absolute, so nobody needs to go back.

use super::client::Client;
use super::command::{Arg, Command, Iac};
use super::control::Control;
use super::features::Software;
use super::pool::Claim;
use super::reply::{Class, Reply};
use crate::base::Deadline;
use crate::remote::{Error, ErrorKind, Name, RemotePath, Result};

/// The way to one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// Directories to enter first, one after the other; none for nearly every path.
    steps: Vec<Arg<'static>>,
    /// What to name then.
    arg: Arg<'static>,
}

impl Way {
    /// The way to `path`, which is absolute and as the server spells it, in lines of `limit` bytes.
    ///
    /// None where a single name is too long for a line.
    pub(crate) fn new(path: &[u8], iac: Iac, limit: usize) -> Option<Self> {
        let room = limit.checked_sub(ROOM)?;
        let len = |bytes: &[u8]| bytes.len() + doubled(bytes, iac);
        if len(path) <= room {
            return Some(Self { steps: Vec::new(), arg: Arg::new(path.to_vec()).ok()? });
        }
        let mut steps = Vec::new();
        // The first piece begins with the `/` of the path, each other one with `./`.
        let mut piece = Vec::new();
        for name in path.split(|&b| b == b'/').filter(|name| !name.is_empty()) {
            if len(&piece) + 1 + len(name) > room && !piece.is_empty() {
                steps.push(Arg::new(std::mem::replace(&mut piece, b".".to_vec())).ok()?);
            }
            piece.push(b'/');
            piece.extend_from_slice(name);
            if len(&piece) > room {
                return None;
            }
        }
        Some(Self { steps, arg: Arg::new(piece).ok()? })
    }

    /// What to name, once the steps are taken.
    pub(crate) fn arg(&self) -> &Arg<'static> {
        &self.arg
    }

    /// Whether the path is longer than a line.
    pub(crate) fn is_long(&self) -> bool {
        !self.steps.is_empty()
    }

    /// This way and into what it leads to.
    fn into_dir(mut self) -> Self {
        self.steps.push(std::mem::replace(&mut self.arg, Arg::HERE));
        self
    }

    /// Takes the steps, all in one flight; the reply of the first one that was refused, if any.
    ///
    /// Nothing relative may be sent before this has returned None: behind a refused step it would mean another place.
    ///
    /// # Errors
    /// The connection fails, or the server's paths end here: [`ErrorKind::NameTooLong`].
    pub(crate) fn walk(&self, control: &mut Control, deadline: Deadline) -> Result<Option<Reply>> {
        let steps: Vec<_> = self.steps.iter().map(|step| Command::Cwd(step.clone())).collect();
        let replies = control.pipeline(&steps, deadline)?;
        Ok(replies.into_iter().find(|reply| reply.class() != Class::Completion))
    }
}

/// The way to two paths.
#[derive(Clone, Debug)]
pub(crate) struct Both {
    /// What both are relative to; None where they are whole.
    pub(crate) dir: Option<Way>,
    pub(crate) from: Arg<'static>,
    pub(crate) to: Arg<'static>,
}

impl Client {
    /// How `path` is sent.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where the server's encoding has no bytes for it, so that it cannot be there, and
    /// [`ErrorKind::NameTooLong`].
    pub(super) fn way(&self, path: &RemotePath) -> Result<Way> {
        let sent = self.names.send(path).ok_or_else(|| Error::new(ErrorKind::NotFound, "encode"))?;
        let software = self.dialect.software();
        let way = Way::new(&sent, software.iac(), software.line_limit());
        way.ok_or_else(|| Error::new(ErrorKind::NameTooLong, "encode"))
    }

    /// How a path is sent that is to come into being. Names that this server would store as other ones are refused.
    ///
    /// # Errors
    /// [`ErrorKind::NameUnencodable`], [`ErrorKind::NameInvalid`] and [`ErrorKind::NameTooLong`].
    pub(super) fn way_to_new(&self, path: &RemotePath) -> Result<Way> {
        let way = self.way(path).map_err(|e| match e.kind {
            ErrorKind::NotFound => Error { kind: ErrorKind::NameUnencodable, ..e },
            _ => e,
        })?;
        let name = way.arg.as_bytes().rsplit(|&b| b == b'/').next().unwrap_or_default();
        if changes_name(self.dialect.software(), name) {
            Err(Error::new(ErrorKind::NameInvalid, "encode"))
        } else {
            Ok(way)
        }
    }

    /// How two paths are sent with one pair of commands: both whole, or both relative to the directory that holds them.
    ///
    /// # Errors
    /// As [`way`](Self::way), and [`ErrorKind::NameTooLong`] where they lie too far apart.
    pub(super) fn way_of_both(&self, from: &RemotePath, to: &RemotePath) -> Result<Both> {
        let (one, other) = (self.way(from)?, self.way_to_new(to)?);
        if !one.is_long() && !other.is_long() {
            return Ok(Both { dir: None, from: one.arg, to: other.arg });
        }
        let shared = shared_dir(from.as_bytes(), to.as_bytes());
        let dir = RemotePath::new(&from.as_bytes()[..shared]).unwrap_or_else(RemotePath::root);
        let above = self.names.send(&dir).map_or(0, |sent| sent.len() + usize::from(!dir.is_root()));
        let (software, too_long) = (self.dialect.software(), || Error::new(ErrorKind::NameTooLong, "encode"));
        let room = software.line_limit() - ROOM;
        let below = |path: &RemotePath| {
            let sent = self.names.send(path).ok_or_else(too_long)?;
            let rest = [b"./", sent.get(above..).unwrap_or_default()].concat();
            if rest.len() + doubled(&rest, software.iac()) > room {
                return Err(too_long());
            }
            Arg::new(rest).map_err(|_| too_long())
        };
        Ok(Both { from: below(from)?, to: below(to)?, dir: Some(self.way(&dir)?.into_dir()) })
    }

    /// How many names of one directory are sent: by their whole paths, or relative to the way that comes with them.
    pub(super) fn ways_inside(&self, dir: &RemotePath, names: &[Name]) -> Result<(Option<Way>, Vec<Arg<'static>>)> {
        let ways = names.iter().map(|name| self.way(&dir.join(name))).collect::<Result<Vec<_>>>()?;
        if !ways.iter().any(Way::is_long) {
            return Ok((None, ways.into_iter().map(|way| way.arg).collect()));
        }
        let inside = |way: &Way| {
            let name = way.arg.as_bytes().rsplit(|&b| b == b'/').next().unwrap_or_default();
            Arg::new([b"./", name].concat()).expect("part of an argument")
        };
        Ok((Some(self.way(dir)?.into_dir()), ways.iter().map(inside).collect()))
    }

    /// Sends one command about `path` and reads its reply.
    pub(super) fn ask(
        &self,
        path: &RemotePath,
        deadline: Deadline,
        command: impl Fn(Arg<'static>) -> Command<'static>,
    ) -> Result<Reply> {
        let way = self.way(path)?;
        self.with_lease(&Claim::Metadata, deadline, |lease| match way.walk(lease.control_mut(), deadline)? {
            Some(refused) => Ok(refused),
            None => lease.control_mut().transact(&command(way.arg.clone()), deadline),
        })
    }
}

/// Whether a server of this kind would store a new file under another name than `name`, and say that all is well.
///
/// Pure-FTPd 1.0.50 makes `_` of control bytes and of a blank at the end (a backslash it refuses); pyftpdlib 2.2 makes
/// U+FFFD of each byte that is no UTF-8.
fn changes_name(software: Software, name: &[u8]) -> bool {
    match software {
        Software::PureFtpd => name.ends_with(b" ") || name.iter().any(|b| b.is_ascii_control() || *b == b'\\'),
        Software::Pyftpdlib => std::str::from_utf8(name).is_err(),
        Software::Vsftpd | Software::ProFtpd | Software::Inetutils | Software::Unknown => false,
    }
}

/// How many bytes of both paths are the directory that holds them, without the `/` behind it.
fn shared_dir(one: &[u8], other: &[u8]) -> usize {
    let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    one[..same].iter().rposition(|&b| b == b'/').unwrap_or(0)
}

fn doubled(bytes: &[u8], iac: Iac) -> usize {
    if iac == Iac::Doubled { bytes.iter().filter(|b| **b == 0xff).count() } else { 0 }
}

/// What else a line holds: a verb, perhaps a mode or up to three times (`SITE UTIME`), blanks, and CR LF.
const ROOM: usize = 72;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn way(path: &[u8], limit: usize) -> Option<(Vec<Vec<u8>>, Vec<u8>)> {
        let way = Way::new(path, Iac::Doubled, limit + ROOM)?;
        Some((way.steps.iter().map(|step| step.as_bytes().to_vec()).collect(), way.arg.as_bytes().to_vec()))
    }

    #[test]
    fn long_paths_in_steps() {
        type Steps<'a> = Option<(&'a [&'a [u8]], &'a [u8])>;
        let table: &[(&[u8], usize, Steps<'_>)] = &[
            (b"/", 10, Some((&[], b"/"))),
            (b"/abcd/efgh", 10, Some((&[], b"/abcd/efgh"))),
            (b"/abcd/efghi", 10, Some((&[b"/abcd"], b"./efghi"))),
            (b"/ab/cd/-ef/~g/hi", 7, Some((&[b"/ab/cd", b"./-ef"], b"./~g/hi"))),
            (b"/abcdefghij", 10, None),
            (b"/a/bcdefghij", 10, None),
            // 0xFF goes out twice.
            (b"/\xff\xff\xff/\xff", 8, Some((&[b"/\xff\xff\xff"], b"./\xff"))),
        ];
        for (path, limit, want) in table {
            let want = want.map(|(steps, arg)| (steps.iter().map(|s| s.to_vec()).collect::<Vec<_>>(), arg.to_vec()));
            assert_eq!(way(path, *limit), want, "{}", path.escape_ascii());
        }
    }

    #[test]
    fn what_two_paths_share_is_a_directory() {
        for (one, other, want) in
            [("/a/b/c", "/a/b/d", "/a/b"), ("/a/bc", "/a/bd", "/a"), ("/a", "/b", ""), ("/a/b", "/a/b/c", "/a")]
        {
            assert_eq!(&one[..shared_dir(one.as_bytes(), other.as_bytes())], want, "{one} {other}");
        }
    }

    #[test]
    fn names_that_would_become_others() {
        for (software, name, changed) in [
            (Software::PureFtpd, &b"a\x01"[..], true),
            (Software::PureFtpd, b"a ", true),
            (Software::PureFtpd, b" a", false),
            (Software::PureFtpd, b"a\xff", false),
            (Software::Pyftpdlib, b"a\xff", true),
            (Software::Vsftpd, b"a\x01\\ ", false),
        ] {
            assert_eq!(changes_name(software, name), changed, "{software:?} {}", name.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn every_line_is_short_and_all_lead_to_the_path(path in "(/[a-c~ -]{1,9}){1,12}", limit in 4usize..30) {
            if let Some((steps, arg)) = way(path.as_bytes(), limit) {
                let lines: Vec<_> = steps.into_iter().chain([arg]).collect();
                prop_assert!(lines.iter().all(|line| line.len() <= limit));
                prop_assert!(lines[0].starts_with(b"/") && lines[1..].iter().all(|line| line.starts_with(b"./")));
                let whole: Vec<u8> = lines.iter().flat_map(|line| line.strip_prefix(b".").unwrap_or(line)).copied().collect();
                prop_assert_eq!(whole, path.as_bytes());
            }
        }
    }
}
