//! Compares what programs have written to a server's disk with what the same programs made of a plain directory.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::process::wait_until;
use super::tree::first_difference;

/// What a server can hold, beside names and bytes.
#[derive(Clone, Copy, Debug)]
pub struct Keeps {
    /// Modes of files and directories.
    pub modes: bool,
    /// Modification times of files.
    pub times: bool,
    /// Modification times of directories.
    pub dir_times: bool,
}

/// How two trees are compared.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What the server can hold.
    pub keeps: Keeps,
    /// Seconds since 1970 when the test began. An older time was given by a program and must be the same on both sides;
    /// a younger one is that of a write and must be younger on both.
    pub began: i64,
    /// Parts of paths that mark what is compared by name and kind only.
    pub except: &'static [&'static str],
}

/// Seconds since 1970.
pub fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
    now.as_secs() as i64
}

/// Panics unless `disk` holds what `twin` does: names and bytes now, modes and times soon.
pub fn same(twin: &Path, disk: &Path, rules: &Rules, when: &str) {
    if let Err(text) = settled(twin, disk, rules, ATTRIBUTES_LIMIT) {
        panic!("after {when}\n{text}");
    }
}

/// What is wrong unless `disk` holds what `twin` does: names and bytes now, modes and times within `patience`, for a
/// mount may send attributes behind its answer to the program.
pub fn settled(twin: &Path, disk: &Path, rules: &Rules, patience: Duration) -> Result<(), String> {
    let end = Instant::now() + patience;
    let last = wait_until("attributes on the server", 2 * patience, || {
        let found = differences(twin, disk, rules);
        let over = found.is_empty() || !found.of_data.is_empty() || Instant::now() > end;
        over.then_some(found)
    });
    if last.is_empty() { Ok(()) } else { Err(last.text()) }
}

/// What differs between two trees.
#[derive(Debug, Default)]
pub struct Differences {
    /// Names, kinds, bytes.
    pub of_data: Vec<String>,
    /// What takes a moment: modes and times, files that were open when they were removed.
    pub of_attributes: Vec<String>,
}

impl Differences {
    pub fn is_empty(&self) -> bool {
        self.of_data.is_empty() && self.of_attributes.is_empty()
    }

    pub fn text(&self) -> String {
        let all: Vec<&str> = self.of_data.iter().chain(&self.of_attributes).map(String::as_str).take(20).collect();
        format!("{} differences:\n{}", self.of_data.len() + self.of_attributes.len(), all.join("\n"))
    }
}

/// Everything that differs between the plain directory and the server's disk.
pub fn differences(twin: &Path, disk: &Path, rules: &Rules) -> Differences {
    let mut walk = Walk { rules, found: Differences::default() };
    walk.directory(twin, disk, Path::new("."));
    walk.found
}

struct Walk<'a> {
    rules: &'a Rules,
    found: Differences,
}

impl Walk<'_> {
    fn data(&mut self, at: &Path, message: impl AsRef<str>) {
        self.found.of_data.push(format!("{at:?}: {}", message.as_ref()));
    }

    fn directory(&mut self, twin: &Path, disk: &Path, at: &Path) {
        let (wanted, mut held) = match (entries(twin), entries(disk)) {
            (Ok(wanted), Ok(held)) => (wanted, held),
            (wanted, held) => return self.data(at, format!("cannot be listed: twin {wanted:?}, disk {held:?}")),
        };
        for (name, wanted) in wanted {
            let (twin, disk, at) = (twin.join(&name), disk.join(&name), at.join(&name));
            match held.remove(&name) {
                None => self.data(&at, "missing on the server"),
                Some(held) => self.entry((&twin, &wanted), (&disk, &held), &at),
            }
        }
        for name in held.into_keys() {
            let at = at.join(&name);
            // The kernel tells of a last close behind the program's back.
            if name.as_bytes().starts_with(GONE.as_bytes()) {
                self.found.of_attributes.push(format!("{at:?}: still on the server"));
            } else {
                self.data(&at, "only on the server");
            }
        }
    }

    fn entry(&mut self, (twin, wanted): (&Path, &fs::Metadata), (disk, held): (&Path, &fs::Metadata), at: &Path) {
        if wanted.is_symlink() {
            return self.link(twin, disk, at);
        }
        if wanted.file_type() != held.file_type() {
            return self.data(at, format!("to be {:?}, is {:?}", wanted.file_type(), held.file_type()));
        }
        let excepted = self.rules.except.iter().any(|part| contains(at.as_os_str(), part));
        if !excepted {
            self.attributes(wanted, held, at);
        }
        if wanted.is_dir() {
            return self.directory(twin, disk, at);
        }
        if excepted {
            return;
        }
        if wanted.len() != held.len() {
            return self.data(at, format!("to be {} bytes, is {}", wanted.len(), held.len()));
        }
        match first_difference(twin, disk) {
            Ok(None) => {}
            Ok(Some(offset)) => self.data(at, format!("content differs at byte {offset} of {}", wanted.len())),
            Err(e) => self.data(at, format!("cannot be read: {e}")),
        }
    }

    fn attributes(&mut self, wanted: &fs::Metadata, held: &fs::Metadata, at: &Path) {
        let keeps = self.rules.keeps;
        // Special bits are lost on some servers, silently.
        let bits = |metadata: &fs::Metadata| metadata.permissions().mode() & 0o777;
        if keeps.modes && bits(wanted) != bits(held) {
            let message = format!("{at:?}: mode to be {:o}, is {:o}", bits(wanted), bits(held));
            self.found.of_attributes.push(message);
        }
        let timed = if wanted.is_dir() { keeps.dir_times } else { keeps.times };
        let given = |metadata: &fs::Metadata| metadata.mtime() < self.rules.began;
        if timed && (given(wanted) || given(held)) && wanted.mtime() != held.mtime() {
            let message = format!("{at:?}: mtime to be {}, is {}", wanted.mtime(), held.mtime());
            self.found.of_attributes.push(message);
        }
    }

    /// A link, which the server may hold as a file.
    fn link(&mut self, twin: &Path, disk: &Path, at: &Path) {
        let target = fs::read_link(twin).expect("it is a link");
        let own = fs::read_link(disk).map(|target| target.into_os_string().into_vec());
        let held = own.ok().or_else(|| target_in_file(&fs::read(disk).ok()?));
        if held.as_deref() != Some(target.as_os_str().as_bytes()) {
            self.data(at, format!("to lead to {target:?}, leads to {held:?}"));
        }
    }
}

/// Where a link leads that a file stands for, in the way of Minshall and French: `XSym`, the length of the target in
/// four digits, its MD5, the target, then blanks up to 1067 bytes.
pub fn target_in_file(bytes: &[u8]) -> Option<Vec<u8>> {
    const SIZE: usize = 1067;
    let mut lines = bytes.splitn(4, |&b| b == b'\n');
    let (magic, length, digest, rest) = (lines.next()?, lines.next()?, lines.next()?, lines.next()?);
    let length: usize = std::str::from_utf8(length).ok()?.parse().ok()?;
    let (target, after) = rest.split_at_checked(length)?;
    let padded = after.first() == Some(&b'\n') && after[1..].iter().all(|&b| b == b' ');
    (bytes.len() == SIZE && magic == b"XSym" && digest.len() == 32 && padded).then(|| target.to_owned())
}

/// The paths below `dir`, relative to it, whose last names hold `part`.
pub fn named_like(dir: &Path, part: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = super::tree::paths(dir).into_iter().map(PathBuf::from).collect();
    found.retain(|path| path.file_name().is_some_and(|name| contains(name, part)));
    found
}

fn contains(text: &OsStr, part: &str) -> bool {
    text.as_bytes().windows(part.len()).any(|window| window == part.as_bytes())
}

fn entries(dir: &Path) -> io::Result<BTreeMap<OsString, fs::Metadata>> {
    fs::read_dir(dir)?.map(|entry| entry.and_then(|e| Ok((e.file_name(), e.path().symlink_metadata()?)))).collect()
}

/// What files are called that have no name any more, until the last who has them open closes them.
const GONE: &str = ".ftpfs-gone-";

/// Much more than the second that a mount may take for them.
const ATTRIBUTES_LIMIT: Duration = Duration::from_secs(15);
