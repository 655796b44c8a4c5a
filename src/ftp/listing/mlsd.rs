//! MLSD and MLST (RFC 3659 7): `fact=value;fact=value; name`.

use std::sync::Arc;

use super::super::reply::Reply;
use super::super::text::number;
use super::time::parse_time_val;
use super::{Skip, entry_name};
use crate::remote::{Entry, Kind, Meta, Stamp};

/// Reads one line of an MLSD; None for the directory itself, its parent, and an empty line.
///
/// # Errors
/// The line has no facts, none that tells its type, or no name that can be used.
pub fn parse_mlsd_line(line: &[u8]) -> Result<Option<Entry>, Skip> {
    if line.is_empty() {
        return Ok(None);
    }
    let (facts, name) = split(line)?;
    let facts = Facts::parse(facts);
    // Servers name them `.`, `..`, or by their whole path.
    if matches!(facts.what, What::This | What::Parent) {
        return Ok(None);
    }
    let Some(name) = entry_name(name)? else {
        return Ok(None);
    };
    Ok(Some(Entry { name, meta: facts.into_meta()? }))
}

/// Whether a line is one of MLSD beyond doubt: it names a fact that all servers know.
pub(super) fn looks_like(line: &[u8]) -> bool {
    let Ok((facts, _)) = split(line) else {
        return false;
    };
    facts.split(|&b| b == b';').any(|fact| {
        let name = fact.split(|&b| b == b'=').next().unwrap_or_default();
        [&b"type"[..], b"size", b"sizd", b"modify", b"unix.mode", b"perm"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
    })
}

/// Reads the answer to MLST; None where it has no line of facts.
///
/// What it says of links is not to be relied on: ProFTPD mixes the target's type with the link's size, pyftpdlib follows.
pub fn parse_mlst(reply: &Reply) -> Option<Meta> {
    if reply.code.get() != 250 {
        return None;
    }
    // A blank stands before the line; with ProFTPD's MultilineRFC2228, `250-` as well.
    let lines = reply.lines.iter().map(|line| line.strip_prefix(b" ").unwrap_or(line));
    lines.filter_map(|line| split(line).ok()).find_map(|(facts, _)| Facts::parse(facts).into_meta().ok())
}

/// Parts facts from name at the blank after the last `;`.
///
/// A link's target, where a server gives one, may hold blanks; so the blank that counts follows a `;`. A server that
/// forgets the last `;` is forgiven if there is no such blank, so is one that sends a tab, or blanks in front.
fn split(line: &[u8]) -> Result<(&[u8], &[u8]), Skip> {
    let blanks = line.iter().take_while(|b| **b == b' ').count();
    let line = &line[blanks..];
    let end = line.windows(2).position(|pair| matches!(pair, b"; " | b";\t")).map(|at| at + 1);
    let end = end.or_else(|| line.iter().position(|&b| b == b' ')).ok_or(Skip::NoEntry)?;
    let (facts, name) = (&line[..end], &line[end + 1..]);
    let named = facts.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')).count();
    if named == 0 || facts.get(named) != Some(&b'=') {
        return Err(Skip::NoEntry);
    }
    Ok((facts, name))
}

/// The facts that matter here.
#[derive(Default)]
struct Facts {
    what: What,
    size: Option<u64>,
    modify: Option<Stamp>,
    mode: Option<u16>,
    unique: Option<Arc<str>>,
    /// What else gives the type away, where it is not told.
    hint: Option<Kind>,
}

/// The `type` fact.
#[derive(Default)]
enum What {
    /// None was given.
    #[default]
    Untold,
    This,
    Parent,
    Thing(Kind),
}

impl Facts {
    /// Facts that are unknown or make no sense are left out: the name is worth more.
    fn parse(facts: &[u8]) -> Self {
        let mut found = Self::default();
        for fact in facts.split(|&b| b == b';') {
            let Some(at) = fact.iter().position(|&b| b == b'=') else {
                continue;
            };
            let (name, value) = (fact[..at].to_ascii_lowercase(), &fact[at + 1..]);
            match &name[..] {
                b"type" => found.what = what(value),
                b"size" => {
                    found.size = number(value);
                    found.hint = found.hint.take().or(found.size.map(|_| Kind::File));
                }
                b"sizd" => {
                    found.size = number(value);
                    found.hint = found.size.map(|_| Kind::Dir);
                }
                b"modify" => found.modify = parse_time_val(value),
                b"unix.mode" => found.mode = mode(value),
                b"perm" => found.hint = permitted(value).or(found.hint.take()),
                b"unique" => found.unique = unique(value),
                _ => {}
            }
        }
        found
    }

    fn into_meta(self) -> Result<Meta, Skip> {
        let kind = match self.what {
            What::Untold => self.hint.ok_or(Skip::NoType)?,
            // Pure-FTPd answers `type=pdir` to `MLST /`.
            What::This | What::Parent => Kind::Dir,
            What::Thing(kind) => kind,
        };
        Ok(Meta { kind, size: self.size, mtime: self.modify, mode: self.mode, unique: self.unique })
    }
}

/// What can only be done to files, or only to directories (RFC 3659 7.5.5).
fn permitted(letters: &[u8]) -> Option<Kind> {
    let has = |set: &[u8]| letters.iter().any(|b| set.contains(&b.to_ascii_lowercase()));
    match (has(b"arw"), has(b"celmp")) {
        (true, false) => Some(Kind::File),
        (false, true) => Some(Kind::Dir),
        _ => None,
    }
}

fn what(value: &[u8]) -> What {
    let known = value.to_ascii_lowercase();
    match &known[..] {
        b"" => What::Untold,
        b"file" => What::Thing(Kind::File),
        b"dir" | b"directory" => What::Thing(Kind::Dir),
        b"cdir" => What::This,
        b"pdir" => What::Parent,
        _ => What::Thing(link(value, &known).unwrap_or(Kind::Other)),
    }
}

/// `OS.unix=symlink` (ProFTPD), `OS.unix=slink:` (Pure-FTPd), `OS.unix=slink:target` (as the RFC's example).
fn link(value: &[u8], known: &[u8]) -> Option<Kind> {
    let kinds = [&b"os.unix=slink"[..], b"os.unix=symlink", b"os.unix=link", b"slink", b"symlink", b"link"];
    let kind = kinds.into_iter().find(|kind| known.starts_with(kind))?;
    let target = match &value[kind.len()..] {
        [] | [b':'] => None,
        [b':', target @ ..] => Some(target.into()),
        _ => return None,
    };
    Some(Kind::Symlink { target })
}

/// `0644`, `00`, `04755`, and pyftpdlib's `0o644`; bits of the type of file are cut off.
pub(super) fn mode(value: &[u8]) -> Option<u16> {
    let digits = value.strip_prefix(b"0o").or_else(|| value.strip_prefix(b"0O")).unwrap_or(value);
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(|b| (b'0'..=b'7').contains(b)) {
        return None;
    }
    let bits = digits.iter().fold(0u32, |sum, b| sum << 3 | u32::from(b - b'0'));
    u16::try_from(bits & 0o7777).ok()
}

fn unique(value: &[u8]) -> Option<Arc<str>> {
    match str::from_utf8(value) {
        Ok("") => None,
        Ok(text) => Some(text.into()),
        Err(_) => Some(value.escape_ascii().to_string().into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::reply::parse_reply;
    use super::*;
    use crate::remote::Name;

    fn entry(line: &[u8]) -> Entry {
        parse_mlsd_line(line).expect("readable").expect("an entry")
    }

    fn meta(kind: Kind, size: Option<u64>, mode: Option<u16>, unique: Option<&str>) -> Meta {
        Meta { kind, size, mtime: Some(Stamp::exact(1_700_000_000)), mode, unique: unique.map(Into::into) }
    }

    #[test]
    fn files_as_servers_send_them() {
        let pro = b"modify=20231114221320;perm=adfrw;size=12;type=file;unique=FE00U9A4004;UNIX.group=3001;\
            UNIX.groupname=g;UNIX.mode=0644;UNIX.owner=3001;UNIX.ownername=u; name";
        let pure = b"type=file;size=12;modify=20231114221320;UNIX.mode=0644;UNIX.uid=3001;unique=fe00g9a6013; name";
        let py = b"modify=20231114221320;perm=radfwMT;size=12;type=file;unique=fe00g9a8004;unix.mode=0o644; name";
        for (line, unique) in [(&pro[..], "FE00U9A4004"), (pure, "fe00g9a6013"), (py, "fe00g9a8004")] {
            let want = meta(Kind::File, Some(12), Some(0o644), Some(unique));
            assert_eq!(entry(line), Entry { name: Name::new(b"name").expect("valid"), meta: want });
        }
        let dir = entry(b"Type=dir;Sizd=4096;Modify=20231114221320;perm=; d");
        assert_eq!(dir.meta, meta(Kind::Dir, Some(4096), None, None));
    }

    #[test]
    fn types() {
        let link = |target: Option<&[u8]>| Kind::Symlink { target: target.map(Into::into) };
        let table: &[(&str, Kind)] = &[
            ("FILE", Kind::File),
            ("Dir", Kind::Dir),
            ("OS.unix=symlink", link(None)),
            ("OS.unix=slink:", link(None)),
            ("OS.unix=slink", link(None)),
            ("os.UNIX=slink:/A b/c", link(Some(b"/A b/c"))),
            ("OS.unix=chr-10/20", Kind::Other),
            ("OS.unix=slinky", Kind::Other),
            ("unknown", Kind::Other),
        ];
        for (kind, want) in table {
            assert_eq!(entry(format!("type={kind}; x").as_bytes()).meta.kind, *want, "{kind}");
        }
    }

    #[test]
    fn types_that_other_facts_tell() {
        let table: &[(&[u8], Kind)] = &[
            (b"size=1; x", Kind::File),
            (b"sizd=4096; x", Kind::Dir),
            (b"sizd=4096;perm=el; x", Kind::Dir),
            (b"size=4096;perm=flcdmpe; x", Kind::Dir),
            (b"perm=adfrw; x", Kind::File),
            (b"type=;size=1; x", Kind::File),
        ];
        for (line, want) in table {
            assert_eq!(entry(line).meta.kind, *want, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn lines_that_bend_the_rules() {
        for line in [
            &b"type=file;size=12; hello.txt"[..],
            b"     Type=file;Size=12; hello.txt",
            b"TYPE=FILE;SIZE=12;\thello.txt",
            b"type=file;size=12 hello.txt",
        ] {
            let entry = entry(line);
            assert_eq!(
                (entry.name.as_bytes(), entry.meta.size),
                (&b"hello.txt"[..], Some(12)),
                "{}",
                line.escape_ascii()
            );
            assert!(looks_like(line));
        }
        for line in [&b"x=y; z"[..], b"-rw-r--r-- 1 u g 1 Nov 14 2023 a=b; c", b" type", b""] {
            assert!(!looks_like(line), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn the_directory_itself_and_its_parent_are_no_entries() {
        for line in [
            &b"type=cdir;size=1; ."[..],
            b"type=cdir; /abs/path",
            b"type=pdir; ..",
            b"type=dir; .",
            b"type=dir; ..",
            b"",
        ] {
            assert_eq!(parse_mlsd_line(line), Ok(None), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn names_are_never_trimmed() {
        for name in [&b" lead"[..], b"trail ", b"a; b", b" ; ", b"x=y; z", b"\xff\x01", b"...", b"a -> b"] {
            let line = [b"type=file;size=1; ", name].concat();
            assert_eq!(entry(&line).name.as_bytes(), name);
        }
        assert_eq!(entry(b"type=file;size=1 no semicolon").name.as_bytes(), b"no semicolon");
    }

    #[test]
    fn bad_lines() {
        let table: &[(&[u8], Skip)] = &[
            (b"junk", Skip::NoEntry),
            (b" type=file", Skip::NoEntry),
            (b" a name alone", Skip::NoEntry),
            (b" ", Skip::NoEntry),
            (b"hello world", Skip::NoEntry),
            (b"=x; y", Skip::NoEntry),
            (b"modify=20231114221320; x", Skip::NoType),
            (b"type=;perm=; x", Skip::NoType),
            (b"type=file; ", Skip::BadName),
            (b"type=file; a/b", Skip::BadName),
            (b"type=file; a\0b", Skip::BadName),
            (b"type=file; a\r", Skip::BadName),
            (b"type=file;", Skip::NoEntry),
        ];
        for (line, want) in table {
            assert_eq!(parse_mlsd_line(line), Err(*want), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn facts_that_make_no_sense_are_left_out() {
        let meta = entry(b"type=file;size=-1;modify=never;UNIX.mode=0999;unique=;x;= ; y").meta;
        assert_eq!((meta.size, meta.mtime, meta.mode, meta.unique), (None, None, None, None));
        let modes =
            [("00", Some(0)), ("04755", Some(0o4755)), ("01777", Some(0o1777)), ("0100644", Some(0o644)), ("", None)];
        for (digits, want) in modes {
            assert_eq!(entry(format!("type=file;UNIX.mode={digits}; y").as_bytes()).meta.mode, want, "{digits}");
        }
    }

    #[test]
    fn answers_to_mlst() {
        let mlst = |text: &str| {
            let reply = parse_reply(text.as_bytes()).expect("a reply").expect("whole").0;
            parse_mlst(&reply)
        };
        let file = Some(meta(Kind::File, Some(12), None, None));
        let line = "type=file;size=12;modify=20231114221320;";
        assert_eq!(mlst(&format!("250-Start of list for /a b\r\n {line} /a b\r\n250 End\r\n")), file);
        assert_eq!(mlst(&format!("250-Listing\r\n250-{line} /a b\r\n250 End\r\n")), file);
        assert_eq!(mlst(&format!("250-Listing\r\n250- {line} /a b\r\n250 End\r\n")), file);
        assert_eq!(mlst("250-Begin\r\n type=pdir; /\r\n250 End.\r\n").map(|meta| meta.kind), Some(Kind::Dir));
        assert_eq!(mlst("250-Begin\r\n250 End.\r\n"), None);
        assert_eq!(mlst("550 type=file; x\r\n"), None);
    }

    proptest! {
        #[test]
        fn what_a_server_means_is_what_is_read(name in prop::collection::vec(any::<u8>(), 1..40), size: u64, mode in 0u16..0o10000) {
            let line = [format!("type=file;size={size};UNIX.mode={mode:04o}; ").as_bytes(), &name].concat();
            match Name::new(&name) {
                Some(name) => {
                    let entry = entry(&line);
                    prop_assert_eq!((entry.name, entry.meta.size, entry.meta.mode), (name, Some(size), Some(mode)));
                }
                None => prop_assert!(!matches!(parse_mlsd_line(&line), Ok(Some(_)))),
            }
        }
    }
}
