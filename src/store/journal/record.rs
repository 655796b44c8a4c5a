//! What a journal remembers, as values and as lines of text.
//!
//! A line is `sum id.step verb=value key=value... id.step`: `sum` is the begin of the SHA-256 of the rest, `step` counts
//! the records of one item. Each item that a line speaks of is named twice, so that a line with one damaged place still
//! tells whose history has a hole.
//! Values are percent-encoded: a line has no NUL and no second newline, whatever names hold.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use ring::digest;

use super::{Job, JournalId};
use crate::remote::{Precision, RemotePath, Stamp, Version};

/// What happened to an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Queued { job: Job, file: String, replaces: Option<Step> },
    Moved { path: RemotePath, base: Option<Version>, replaces: Option<Step> },
    Set { mtime: i64, mode: Option<u16> },
    Part { part: RemotePath },
    Stored { version: Version },
    Done,
    Dropped,
}

/// One step in the history of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) id: JournalId,
    /// How many steps come before.
    pub(super) count: u64,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id, self.count)
    }
}

impl Step {
    fn decode(text: &str) -> Option<Self> {
        let (id, count) = text.split_once('.')?;
        Some(Self { id: JournalId(id.parse().ok()?), count: count.parse().ok()? })
    }
}

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) step: Step,
    pub(super) fact: Fact,
}

impl Record {
    pub(super) fn encode(&self) -> String {
        let mut text = self.step.to_string();
        let mut put = |key: &str, value: &dyn fmt::Display| {
            let _ = write!(text, " {key}={value}");
        };
        match &self.fact {
            Fact::Queued { job, file, replaces } => {
                put("queued", &file);
                put("path", &escape(job.path.as_bytes()));
                put("base", &option(job.base.as_ref().map(encode_version)));
                put("len", &job.len);
                put("mtime", &job.mtime);
                put("mode", &option(job.mode.map(|mode| format!("{mode:o}"))));
                put("replaces", &option(replaces.map(|step| step.to_string())));
                put("replaces", &option(replaces.map(|step| step.to_string())));
            }
            Fact::Moved { path, base, replaces } => {
                put("moved", &escape(path.as_bytes()));
                put("base", &option(base.as_ref().map(encode_version)));
                put("replaces", &option(replaces.map(|step| step.to_string())));
                put("replaces", &option(replaces.map(|step| step.to_string())));
            }
            Fact::Set { mtime, mode } => {
                put("set", &mtime);
                put("mode", &option(mode.map(|mode| format!("{mode:o}"))));
            }
            Fact::Part { part } => put("part", &escape(part.as_bytes())),
            Fact::Stored { version } => put("stored", &encode_version(version)),
            Fact::Done => put("done", &""),
            Fact::Dropped => put("dropped", &""),
        }
        let _ = write!(text, " {}", self.step);
        seal(&text)
    }

    /// None for what [`encode`](Record::encode) has not made.
    pub(super) fn decode(line: &[u8]) -> Option<Self> {
        let text = unseal(line)?;
        let (whose, text) = text.split_once(' ')?;
        let (text, again) = text.rsplit_once(' ')?;
        let step = Step::decode(whose).filter(|_| whose == again)?;
        let mut fields = Fields(text.split(' '));
        let (verb, value) = fields.next()?;
        let fact = match verb {
            "queued" => Fact::Queued {
                file: Some(value.to_owned()).filter(|name| is_spool_name(name))?,
                job: Job {
                    path: decode_path(fields.take("path")?)?,
                    base: maybe(fields.take("base")?, decode_version)?,
                    len: fields.take("len")?.parse().ok()?,
                    mtime: fields.take("mtime")?.parse().ok()?,
                    mode: maybe(fields.take("mode")?, |mode| u16::from_str_radix(mode, 8).ok())?,
                },
                replaces: fields.replaces()?,
            },
            "moved" => Fact::Moved {
                path: decode_path(value)?,
                base: maybe(fields.take("base")?, decode_version)?,
                replaces: fields.replaces()?,
            },
            "set" => Fact::Set {
                mtime: value.parse().ok()?,
                mode: maybe(fields.take("mode")?, |mode| u16::from_str_radix(mode, 8).ok())?,
            },
            "part" => Fact::Part { part: decode_path(value)? },
            "stored" => Fact::Stored { version: decode_version(value)? },
            "done" => Fact::Done,
            "dropped" => Fact::Dropped,
            _ => return None,
        };
        fields.next().is_none().then_some(Self { step, fact })
    }

    /// The steps that this speaks of.
    pub(super) fn steps(&self) -> impl Iterator<Item = Step> {
        let replaced = match self.fact {
            Fact::Queued { replaces, .. } | Fact::Moved { replaces, .. } => replaces,
            Fact::Set { .. } | Fact::Part { .. } | Fact::Stored { .. } | Fact::Done | Fact::Dropped => None,
        };
        [Some(self.step), replaced].into_iter().flatten()
    }

    /// The steps that a damaged line may have spoken of.
    pub(super) fn guess(line: &[u8]) -> Vec<Step> {
        let text = String::from_utf8_lossy(line);
        text.split([' ', '=', '\n']).filter_map(Step::decode).collect()
    }
}

/// The first line of a journal.
pub(super) fn header() -> String {
    header_of(VERSION)
}

pub(super) fn header_of(version: u32) -> String {
    seal(&format!("{FORMAT} {version}"))
}

/// The version in a header; None for what is none.
pub(super) fn decode_header(line: &[u8]) -> Option<u32> {
    unseal(line)?.strip_prefix(FORMAT)?.trim_start().parse().ok()
}

/// Whether [`super::Journal`] may have named a spool so.
pub(super) fn is_spool_name(name: &str) -> bool {
    name.strip_suffix(SPOOL).is_some_and(|stem| !stem.is_empty() && stem.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The version of this format. One that is not known is refused: it may hold what this program would lose.
pub(super) const VERSION: u32 = 1;
/// What the names of spools end with.
pub(super) const SPOOL: &str = ".spool";
const FORMAT: &str = "ftpfs-journal";

/// An item: the sum of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) job: Job,
    pub(super) file: String,
    pub(super) part: Option<RemotePath>,
    pub(super) stored: Option<Version>,
    /// Done or dropped; its file may still be there.
    pub(super) ended: bool,
    /// How many records it has.
    pub(super) steps: u64,
}

/// The items by id, which is the order of first queueing.
pub(super) type Items = BTreeMap<JournalId, Item>;

/// Adds what `record` says; of an item that is not known, only [`Fact::Queued`] says anything.
pub(super) fn apply(items: &mut Items, record: Record) {
    let Step { id, .. } = record.step;
    if let Fact::Queued { job, file, .. } = &record.fact {
        let (job, file) = (job.clone(), file.clone());
        items.insert(id, Item { job, file, part: None, stored: None, ended: false, steps: 0 });
    }
    for step in record.steps() {
        if let Some(item) = items.get_mut(&step.id) {
            item.steps = step.count.saturating_add(1);
            // Of the others it says that they are replaced.
            item.ended |= step.id != id;
        }
    }
    let Some(item) = items.get_mut(&id) else { return };
    match record.fact {
        Fact::Queued { .. } => {}
        Fact::Moved { path, base, .. } => {
            item.job.path = path;
            item.job.base = base;
        }
        Fact::Set { mtime, mode } => (item.job.mtime, item.job.mode) = (mtime, mode),
        // A new attempt: what the last one has stored no longer counts.
        Fact::Part { part } => (item.part, item.stored) = (Some(part), None),
        Fact::Stored { version } => item.stored = Some(version),
        Fact::Done | Fact::Dropped => item.ended = true,
    }
}

impl Item {
    /// The shortest facts that sum up to this.
    pub(super) fn summary(&self) -> Vec<Fact> {
        let queued = Fact::Queued { job: self.job.clone(), file: self.file.clone(), replaces: None };
        let part = self.part.clone().map(|part| Fact::Part { part });
        let stored = self.stored.clone().map(|version| Fact::Stored { version });
        let ended = self.ended.then_some(Fact::Done);
        [Some(queued), part, stored, ended].into_iter().flatten().collect()
    }
}

struct Fields<'a>(std::str::Split<'a, char>);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Option<(&'a str, &'a str)> {
        self.0.next()?.split_once('=')
    }

    fn replaces(&mut self) -> Option<Option<Step>> {
        let (one, two) = (self.take("replaces")?, self.take("replaces")?);
        maybe(one, Step::decode).filter(|_| one == two)
    }

    fn take(&mut self, key: &str) -> Option<&'a str> {
        self.next().filter(|(k, _)| *k == key).map(|(_, value)| value)
    }
}

fn seal(text: &str) -> String {
    format!("{} {text}\n", sum(text.as_bytes()))
}

fn unseal(line: &[u8]) -> Option<&str> {
    // A torn line may lack only its end: nothing of what it says.
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let (given, text) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    (given == sum(text.as_bytes())).then_some(text)
}

fn sum(text: &[u8]) -> String {
    crate::store::hex(&digest::digest(&digest::SHA256, text).as_ref()[..8])
}

fn decode_path(text: &str) -> Option<RemotePath> {
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    RemotePath::new(&bytes).filter(|path| path.as_bytes() == bytes)
}

/// `size:secs.nanos.precision:=unique`, with `-` for what is not known.
fn encode_version(version: &Version) -> String {
    let mtime = version.mtime.map(|Stamp { secs, nanos, precision }| {
        let precision = match precision {
            Precision::Day => 'd',
            Precision::Minute => 'm',
            Precision::Second => 's',
        };
        format!("{secs}.{nanos}.{precision}")
    });
    let unique = version.unique.as_ref().map(|unique| format!("={}", escape(unique.as_bytes())));
    format!("{}:{}:{}", version.size, option(mtime), option(unique))
}

fn decode_version(text: &str) -> Option<Version> {
    let mut parts = text.split(':');
    let (size, mtime, unique) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Version {
        size: size.parse().ok()?,
        mtime: maybe(mtime, decode_stamp)?,
        unique: maybe(unique, |text| {
            let unique = percent_decode_str(text.strip_prefix('=')?).decode_utf8().ok()?;
            Some(unique.as_ref().into())
        })?,
    })
}

fn decode_stamp(text: &str) -> Option<Stamp> {
    let mut parts = text.split('.');
    let (secs, nanos) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let precision = match parts.next()? {
        "d" => Precision::Day,
        "m" => Precision::Minute,
        "s" => Precision::Second,
        _ => return None,
    };
    Some(Stamp { secs, nanos, precision })
}

/// `-` for nothing: no value that may be missing is written so.
fn option(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".into())
}

/// The inner None is `-`, the outer one what `decode` does not understand.
#[allow(clippy::option_option)]
fn maybe<T>(text: &str, decode: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if text == "-" { Some(None) } else { decode(text).map(Some) }
}

fn escape(bytes: &[u8]) -> String {
    percent_encode(bytes, ESCAPED).to_string()
}

const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'_').remove(b'-');
