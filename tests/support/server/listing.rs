//! The lines of LIST, NLST, MLSD and MLST. Functions on values alone: no sockets, no clock.

use super::personality::{LinkStyle, ListStyle, Mlsx, Personality};
use super::tree::{Kind, Node, Tree, Why, join};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// About half a year: vsftpd shows minutes for younger files, the year for all others and for the future.
const RECENT: i64 = 180 * 24 * 3600;

/// Lines and how many names they hold.
pub(super) struct Lines {
    pub(super) bytes: Vec<u8>,
    pub(super) names: usize,
    pub(super) truncated: bool,
}

/// What to show about one name.
struct Shown<'a> {
    kind: &'a str,
    target: Option<&'a [u8]>,
    node: &'a Node,
    /// Size, mode and time come from here.
    about: &'a Node,
}

impl Lines {
    fn new() -> Self {
        Self { bytes: Vec::new(), names: 0, truncated: false }
    }

    fn push(&mut self, limit: Option<usize>, line: &[u8], end: &str) {
        if limit.is_some_and(|limit| self.names >= limit) {
            self.truncated = true;
            return;
        }
        self.names += 1;
        self.bytes.extend_from_slice(line);
        self.bytes.extend_from_slice(end.as_bytes());
    }
}

/// MLSD of a directory.
pub(super) fn mlsd(me: &Personality, mlsx: &Mlsx, facts: &[&str], tree: &Tree, path: &[u8]) -> Result<Lines, Why> {
    let (dir, entries) = tree.list(path)?;
    let mut lines = Lines::new();
    let mut push = |name: &[u8], shown: &Shown<'_>| {
        let line = [facts_of(mlsx, facts, shown).as_bytes(), b" ", name].concat();
        lines.push(me.list_limit, &line, "\r\n");
    };
    if mlsx.dot_entries {
        push(b".", &Shown { kind: "cdir", target: None, node: dir, about: dir });
    }
    for (name, node) in entries {
        if let Some(shown) = shown(mlsx, tree, &join(path, name), node) {
            push(name, &shown);
        }
    }
    if mlsx.dot_entries {
        // Real servers put it anywhere.
        push(b"..", &Shown { kind: "pdir", target: None, node: dir, about: dir });
    }
    Ok(lines)
}

/// The facts of MLST, without the name.
pub(super) fn mlst(mlsx: &Mlsx, facts: &[&str], tree: &Tree, path: &[u8]) -> Result<String, Why> {
    let node = tree.find(path, false)?;
    let shown = match (&node.kind, mlsx.links) {
        // ProFTPD tells the type of the target with size and mode of the link.
        (Kind::Link(_), LinkStyle::Symlink) => {
            Shown { kind: kind_of(tree.find(path, true)?), target: None, node, about: node }
        }
        (Kind::Link(_), LinkStyle::Followed) => {
            let target = tree.find(path, true)?;
            Shown { kind: kind_of(target), target: None, node: target, about: target }
        }
        _ => shown(mlsx, tree, path, node).ok_or(Why::Missing)?,
    };
    Ok(facts_of(mlsx, facts, &shown))
}

/// The facts that are shown until OPTS MLST chooses others.
pub(super) fn default_facts(mlsx: &Mlsx) -> Vec<&'static str> {
    mlsx.facts.iter().filter_map(|fact| fact.strip_suffix('*')).collect()
}

/// The facts that OPTS MLST asks for and this server has.
pub(super) fn chosen_facts(mlsx: &Mlsx, wanted: &str) -> Vec<&'static str> {
    let known = mlsx.facts.iter().map(|fact| fact.trim_end_matches('*'));
    known.filter(|fact| wanted.split(';').any(|want| want.trim().eq_ignore_ascii_case(fact))).collect()
}

/// LIST of a directory, or of one file.
pub(super) fn list(me: &Personality, now: i64, tree: &Tree, path: &[u8], all: bool) -> Result<Lines, Why> {
    let node = tree.find(path, true)?;
    let mut lines = Lines::new();
    let end = if me.list == ListStyle::Ls { "\n" } else { "\r\n" };
    if !node.is_dir() {
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
        lines.push(None, &list_line(me, now, name, node), end);
        return Ok(lines);
    }
    let (dir, entries) = tree.list(path)?;
    if me.list == ListStyle::Ls {
        lines.bytes.extend_from_slice(format!("total {}{end}", 4 * entries.len()).as_bytes());
    }
    if all && me.hides_dotfiles {
        lines.push(me.list_limit, &list_line(me, now, b".", dir), end);
        lines.push(me.list_limit, &list_line(me, now, b"..", dir), end);
    }
    for (name, node) in entries {
        if all || !me.hides_dotfiles || !name.starts_with(b".") {
            lines.push(me.list_limit, &list_line(me, now, name, node), end);
        }
    }
    Ok(lines)
}

/// NLST of a directory: names alone.
pub(super) fn nlst(tree: &Tree, path: &[u8]) -> Result<Lines, Why> {
    let (_, entries) = tree.list(path)?;
    let mut lines = Lines::new();
    for name in entries.keys().filter(|name| !name.starts_with(b".")) {
        lines.push(None, name, "\r\n");
    }
    Ok(lines)
}

/// `YYYYMMDDHHMMSS` in UTC.
pub(super) fn stamp(seconds: i64) -> String {
    civil(seconds).strftime("%Y%m%d%H%M%S").to_string()
}

fn list_line(me: &Personality, now: i64, name: &[u8], node: &Node) -> Vec<u8> {
    let date = civil(node.mtime + me.list_zone);
    if me.list == ListStyle::Dos {
        let size = if node.is_dir() { "       <DIR>         ".to_owned() } else { format!("{:>21}", node.size()) };
        return [format!("{}{size} ", date.strftime("%m-%d-%y  %I:%M%p")).as_bytes(), name].concat();
    }
    let recent = (0..=RECENT).contains(&(now - node.mtime));
    let date = date.strftime(if recent { "%b %d %H:%M" } else { "%b %d  %Y" });
    let (letter, tail) = match &node.kind {
        Kind::Dir(_) => ('d', Vec::new()),
        Kind::File(_) => ('-', Vec::new()),
        Kind::Link(target) => ('l', [b" -> ", target.as_slice()].concat()),
    };
    let head = format!("{letter}{} {:>4} {:<8} {:<8} {:>8} {date} ", rwx(node.mode), 1, 3001, 3001, node.size());
    [head.as_bytes(), name, &tail].concat()
}

/// Mode bits as `ls` writes them, with the letters of setuid, setgid and sticky.
fn rwx(mode: u32) -> String {
    let triple = |shift: u32, special: u32, letter: char| {
        let bits = mode >> shift;
        let exec = match (bits & 1 != 0, mode & special != 0) {
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
            (true, false) => 'x',
            (false, false) => '-',
        };
        let read = if bits & 4 != 0 { 'r' } else { '-' };
        let write = if bits & 2 != 0 { 'w' } else { '-' };
        [read, write, exec].iter().collect::<String>()
    };
    format!("{}{}{}", triple(6, 0o4000, 's'), triple(3, 0o2000, 's'), triple(0, 0o1000, 't'))
}

fn shown<'a>(mlsx: &Mlsx, tree: &'a Tree, path: &[u8], node: &'a Node) -> Option<Shown<'a>> {
    let Kind::Link(target) = &node.kind else {
        return Some(Shown { kind: kind_of(node), target: None, node, about: node });
    };
    match mlsx.links {
        LinkStyle::Slink => Some(Shown { kind: "OS.unix=slink:", target: None, node, about: node }),
        LinkStyle::SlinkTarget => Some(Shown { kind: "OS.unix=slink:", target: Some(target), node, about: node }),
        LinkStyle::Symlink => {
            let node_behind = tree.find(path, true).ok()?;
            Some(Shown { kind: "OS.unix=symlink", target: None, node: node_behind, about: node })
        }
        LinkStyle::Followed => {
            let behind = tree.find(path, true).ok()?;
            Some(Shown { kind: kind_of(behind), target: None, node: behind, about: behind })
        }
    }
}

fn kind_of(node: &Node) -> &'static str {
    if node.is_dir() { "dir" } else { "file" }
}

fn facts_of(mlsx: &Mlsx, facts: &[&str], shown: &Shown<'_>) -> String {
    facts.iter().filter_map(|fact| Some(format!("{fact}={};", value(mlsx, fact, shown)?))).collect()
}

fn value(mlsx: &Mlsx, fact: &str, shown: &Shown<'_>) -> Option<String> {
    let about = shown.about;
    Some(match fact.to_ascii_lowercase().as_str() {
        "type" => format!("{}{}", shown.kind, String::from_utf8_lossy(shown.target.unwrap_or_default())),
        "size" if about.is_dir() && !mlsx.python_modes => return None,
        "size" => about.size().to_string(),
        "sizd" if about.is_dir() => about.size().to_string(),
        "modify" => stamp(about.mtime),
        "unix.mode" if mlsx.python_modes => format!("0o{:o}", about.mode),
        "unix.mode" => format!("0{:o}", about.mode),
        "unique" => format!("FE00U{:X}", shown.node.unique),
        "perm" if about.is_dir() => "flcdmpe".to_owned(),
        "perm" => "adfrw".to_owned(),
        "unix.uid" | "unix.gid" | "unix.owner" | "unix.group" => "3001".to_owned(),
        "unix.ownername" => "u".to_owned(),
        "unix.groupname" => "g".to_owned(),
        _ => return None,
    })
}

fn civil(seconds: i64) -> DateTime {
    Offset::UTC.to_datetime(Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH))
}
