//! Names that a server lists but does not know: it has lost bytes of them on the way.
//!
//! pyftpdlib shows `?` in place of every byte that is no UTF-8, IIS in place of every letter that its code page lacks. Such
//! a name is that of no file, unless the file is really called so. Only the server can tell, and is asked.

use super::classify::{Verdict, classify};
use super::client::Client;
use super::command::Command;
use super::dialect::{Can, Skill};
use super::features::Software;
use super::listing::{Parsed, Skip, Skipped, Style};
use super::pool::Claim;
use super::reply::{Class, Reply};
use super::text::printable;
use crate::base::Deadline;
use crate::remote::{Entry, ErrorKind, Kind, Name, RemotePath, Result};

impl Client {
    /// Takes out the names that no program could ask for.
    pub(super) fn leave_out_lost(&self, dir: &RemotePath, parsed: &mut Parsed, deadline: Deadline) -> Result<()> {
        let lost = self.lost(dir, parsed, deadline)?;
        // Older kernels refuse a whole directory for one long name.
        let too_long = |entry: &Entry| self.names.show(&entry.name).as_bytes().len() > LONGEST_NAME;
        let mut left_out = Vec::new();
        parsed.entries.retain(|entry| {
            let bad = too_long(entry) || lost.contains(&entry.name);
            if bad {
                left_out.push(Skipped { line: printable(entry.name.as_bytes(), SHOWN_NAME), why: Skip::BadName });
            }
            !bad
        });
        parsed.skipped_count += left_out.len();
        parsed.skipped.extend(left_out.into_iter().take(MOST_KEPT));
        Ok(())
    }

    /// The listed names that the server does not know.
    fn lost(&self, dir: &RemotePath, parsed: &Parsed, deadline: Deadline) -> Result<Vec<Name>> {
        if parsed.style != Some(Style::Dos) && self.dialect.software() != Software::Pyftpdlib {
            return Ok(Vec::new());
        }
        let doubtful: Vec<&Entry> = parsed.entries.iter().filter(|e| e.name.as_bytes().contains(&b'?')).collect();
        if doubtful.is_empty() {
            return Ok(Vec::new());
        }
        let shown: Vec<Name> = doubtful.iter().map(|entry| self.names.show(&entry.name)).collect();
        let (way, args) = self.ways_inside(dir, &shown)?;
        let mlst = self.dialect.can(Skill::Mlst) == Can::Yes;
        let commands: Vec<_> = args
            .into_iter()
            .zip(&doubtful)
            .map(|(arg, entry)| match entry.meta.kind {
                _ if mlst => Command::Mlst(arg),
                Kind::Dir => Command::Cwd(arg),
                _ => Command::Size(arg),
            })
            .collect();
        let replies = self.with_lease(&Claim::Metadata, deadline, |lease| {
            let control = lease.control_mut();
            match &way {
                Some(way) if way.walk(control, deadline)?.is_some() => Ok(Vec::new()),
                _ => control.pipeline(&commands, deadline),
            }
        })?;
        // A refusal for any other reason says that there is something.
        let missing = |((entry, command), reply): &((&&Entry, &Command<'_>), Reply)| {
            match classify(command.verb(), reply, entry.name.as_bytes()) {
                _ if reply.class() != Class::Permanent => false,
                Verdict::Sure(kind) => matches!(kind, ErrorKind::NotFound | ErrorKind::NameInvalid),
                // One text for everything: the server itself has listed the name, but cannot say more of it.
                Verdict::Ask(_) => mlst || self.dialect.can(Skill::Size) == Can::Yes,
            }
        };
        let unknown = doubtful.iter().zip(&commands).zip(replies).filter(missing);
        Ok(unknown.map(|((entry, _), _)| entry.name.clone()).collect())
    }
}

/// `FUSE_NAME_MAX` of Linux before 6.16; names on the disks of other systems have up to 765 bytes in UTF-8.
const LONGEST_NAME: usize = 1_024;

/// As much of a name as the log shows.
const SHOWN_NAME: usize = 200;

/// Names that are kept for the log.
const MOST_KEPT: usize = 100;
