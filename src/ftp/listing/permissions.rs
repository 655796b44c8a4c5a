//! The first column of `ls -l`: `drwxr-sr-t+`.

use super::super::text::number;
use super::Shape;
use super::date::{self, Habits, Line, Word};

/// What the column says, and where the columns behind it begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Permissions {
    pub(super) shape: Shape,
    /// None where the letters are not those of UNIX.
    pub(super) mode: Option<u16>,
    /// The first word behind the column.
    pub(super) next: usize,
    /// Whether they are the rights of NetWare.
    pub(super) netware: bool,
}

impl Permissions {
    /// Finds the column at the beginning of the line, behind blanks (STAT), inode and blocks (`ls -is`), or a reply's
    /// code.
    pub(super) fn find(line: &Line<'_>) -> Option<Self> {
        if let Some(found) = rights(line) {
            return Some(found);
        }
        for (at, word) in line.words.iter().enumerate().take(3) {
            if let Some((shape, mode)) = column(word.text, line.words.get(at + 1)) {
                return Some(Self { shape, mode, next: at + 1, netware: false });
            }
            if !is_count(word.text) {
                break;
            }
        }
        if let Some(found) = letter_alone(line) {
            return Some(found);
        }
        // `213-drwxr-xr-x`: the line of a reply to STAT.
        let first = line.words.first()?.text;
        let (code, rest) = first.split_at_checked(4)?;
        let (shape, mode) =
            column(rest, None).filter(|_| code[..3].iter().all(u8::is_ascii_digit) && code[3] == b'-')?;
        Some(Self { shape, mode, next: 1, netware: false })
    }
}

/// `d [RWCEAFMS]`, `-[R----F--]`: what NetWare lets this user do, which is no mode.
fn rights(line: &Line<'_>) -> Option<Permissions> {
    let first = line.words.first()?.text;
    let (&letter, glued) = first.split_first()?;
    let shape = match letter {
        b'd' => Shape::Dir,
        b'-' => Shape::File,
        _ => return None,
    };
    let (bracketed, next) = if glued.is_empty() { (line.word(1), 2) } else { (glued, 1) };
    let inner = bracketed.strip_prefix(b"[")?.strip_suffix(b"]")?;
    let known = inner.iter().all(|b| b.is_ascii_uppercase() || matches!(b, b'-' | b' '));
    (known && !inner.is_empty()).then_some(Permissions { shape, mode: None, next, netware: true })
}

/// `- whatever you feel like 848 Dec 14 11:22 00README.txt`: what P. Lewis' draft of 1994 asked of servers for Macs.
fn letter_alone(line: &Line<'_>) -> Option<Permissions> {
    let shape = match line.word(0) {
        b"-" => Shape::File,
        b"d" => Shape::Dir,
        b"l" => Shape::Link,
        _ => return None,
    };
    // GCOS, whose dates are numbers, puts the owner behind them.
    let dated = |at: usize| {
        line.word(at).iter().all(u8::is_ascii_alphabetic)
            && date::read(&line.words[at..], Habits::default(), 0).is_some()
    };
    let found = (2..line.words.len()).any(|at| number(line.word(at - 1)).is_some() && dated(at));
    found.then_some(Permissions { shape, mode: None, next: 1, netware: false })
}

fn is_count(word: &[u8]) -> bool {
    number(word).is_some()
        || matches!(word, [digits @ .., b'K' | b'M' | b'G'] if digits.iter().all(|b| b.is_ascii_digit() || *b == b'.'))
}

/// One word as permissions, glued to the number of links or not.
fn column(word: &[u8], next: Option<&Word<'_>>) -> Option<(Shape, Option<u16>)> {
    let (&letter, rest) = word.split_first()?;
    if letter == b'r' {
        // `rw-rw-rw-` (StingRay): no letter at all.
        let bits = <&[u8; 9]>::try_from(word).ok()?;
        return Some((Shape::File, Some(mode(bits)?)));
    }
    if rest == b"?????????" {
        // `d????????? ? ? ? ?            ? name`: ls has the name, but may not look.
        return Some((shape(letter).unwrap_or(Shape::Other), None))
            .filter(|_| next.is_some_and(|next| next.text == b"?"));
    }
    let shape = shape(letter)?;
    if let Some((bits, rest)) = rest.split_first_chunk::<9>() {
        if let Some(mode) = mode(bits) {
            // ACLs, SELinux, extended attributes; a number of links too wide for its column.
            let rest = rest
                .strip_prefix(b"+")
                .or_else(|| rest.strip_prefix(b"."))
                .or_else(|| rest.strip_prefix(b"@"))
                .or_else(|| rest.strip_prefix(b"*"))
                .unwrap_or(rest);
            return rest.iter().all(u8::is_ascii_digit).then_some((shape, Some(mode)));
        }
        // `-C--E-----FTP`: Connect:Enterprise.
        let sterling = bits.iter().all(|b| *b == b'-' || b.is_ascii_uppercase())
            && rest.len() == 3
            && rest.iter().all(u8::is_ascii_uppercase);
        // `-rwx---A--`: Core FTP's server shows Windows' attributes among them.
        let attributes = rest.is_empty()
            && flag(bits[0], b'r').and(flag(bits[1], b'w')).is_some()
            && b"-xsS".contains(&bits[2])
            && bits[3..].iter().all(|b| *b == b'-' || b.is_ascii_alphabetic())
            && b"-dl".contains(&letter);
        return (attributes || (letter == b'-' && sterling)).then_some((shape, None));
    }
    // `drwxrwx` (HylaFAX), `d--------` (CMX): fewer letters than usual, but in front of a number.
    let short = matches!(rest.len(), 6 | 8) && number(next?.text).is_some();
    let mut bits = [b'-'; 9];
    bits.get_mut(..rest.len()).filter(|_| short)?.copy_from_slice(rest);
    Some((shape, Some(mode(&bits)?)))
}

fn shape(letter: u8) -> Option<Shape> {
    Some(match letter {
        // Append-only on Plan 9, contiguous, FIFO-less servers' `f`, migrated to tape on UNICOS (`m`, `M`), off-line.
        b'-' | b'a' | b'C' | b'f' | b'm' | b'M' | b'o' | b'O' => Shape::File,
        b'd' => Shape::Dir,
        b'l' | b'L' => Shape::Link,
        b'b' | b'c' => Shape::Device,
        b'p' | b's' | b'D' | b'P' | b'n' | b'w' | b'h' => Shape::Other,
        _ => return None,
    })
}

pub(super) fn mode(bits: &[u8; 9]) -> Option<u16> {
    let mut mode = 0;
    for (i, triple) in bits.chunks_exact(3).enumerate() {
        let shift = 6 - 3 * i;
        let (run, special) = match (i, triple[2]) {
            (_, b'-') => (0, 0),
            (_, b'x') => (1, 0),
            (0 | 1, b's') | (2, b't') => (1, 1),
            // `l`: mandatory locking on Solaris, which is the same bit.
            (0 | 1, b'S' | b'l' | b'L') | (2, b'T') => (0, 1),
            _ => return None,
        };
        let read = flag(triple[0], b'r')?;
        let write = flag(triple[1], b'w')?;
        mode |= (read << 2 | write << 1 | run) << shift | special << (11 - i);
    }
    Some(mode)
}

fn flag(b: u8, set: u8) -> Option<u16> {
    (b == set || b == b'-').then_some(u16::from(b == set))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(line: &str) -> Option<(Shape, Option<u16>)> {
        Permissions::find(&Line::new(line.as_bytes())).map(|found| (found.shape, found.mode))
    }

    #[test]
    fn columns() {
        let table = [
            ("-rwsr-sr-x 1", Some((Shape::File, Some(0o6755)))),
            ("-rwSr-Sr-- 1", Some((Shape::File, Some(0o6644)))),
            ("drwxrwxrwt 1", Some((Shape::Dir, Some(0o1777)))),
            ("drwxrwxrwT 1", Some((Shape::Dir, Some(0o1776)))),
            ("drwx--l--- 2", Some((Shape::Dir, Some(0o2700)))),
            ("---------- 1", Some((Shape::File, Some(0)))),
            ("----rwxr-x 1", Some((Shape::File, Some(0o075)))),
            ("-rw-r--r--+ 1", Some((Shape::File, Some(0o644)))),
            ("-rw-r--r--. 1", Some((Shape::File, Some(0o644)))),
            ("-rw-r--r--* 1", Some((Shape::File, Some(0o644)))),
            ("-rw-r--r--@ 1", Some((Shape::File, Some(0o644)))),
            ("drwxr-x---+1464 u", Some((Shape::Dir, Some(0o750)))),
            ("drwxr-xr-x1732 u", Some((Shape::Dir, Some(0o755)))),
            ("lrwxrwxrwx 1", Some((Shape::Link, Some(0o777)))),
            ("Drw-rw-rw- 1", Some((Shape::Other, Some(0o666)))),
            ("ar-xr-xr-x 2", Some((Shape::File, Some(0o555)))),
            ("mrw-r--r-- 1", Some((Shape::File, Some(0o644)))),
            ("drwxrwx   2 10", Some((Shape::Dir, Some(0o770)))),
            ("d--------   1 owner", Some((Shape::Dir, Some(0)))),
            ("-C--E-----FTP B", Some((Shape::File, None))),
            ("-rwx---A--  1 user", Some((Shape::File, None))),
            ("drwx----SH  1 user", Some((Shape::Dir, None))),
            ("-rwx---1--  1 user", None),
            (" drwxr-xr-x 1", Some((Shape::Dir, Some(0o755)))),
            ("1234 8 drwxr-xr-x 1", Some((Shape::Dir, Some(0o755)))),
            ("4.0K drwxr-xr-x 1", Some((Shape::Dir, Some(0o755)))),
            ("212 -rw-r--r-- 1", Some((Shape::File, Some(0o644)))),
            ("211-lrwxrwxrwx 1", Some((Shape::Link, Some(0o777)))),
            ("d [R----F--] supervisor", Some((Shape::Dir, None))),
            ("-[RWCEMFA]  1 cyp", Some((Shape::File, None))),
            ("- whatever you like 848 Dec 14 11:22 x", Some((Shape::File, None))),
            ("d 0 Dec 14 2003 x", Some((Shape::Dir, None))),
            ("- whatever you like", None),
            ("- 12 05/06/98 10:12 x", None),
            ("x 848 Dec 14 11:22 x", None),
            ("rw-rw-r-- 0 1 2", Some((Shape::File, Some(0o664)))),
            ("rw-rw-r--x 0 1 2", None),
            ("a [-----F--] x", None),
            ("- [x] y", None),
            ("zrwxr-xr-x 1", None),
            ("dxrwr-xr-x 1", None),
            ("-rw-r--r--x 1", None),
            ("d????????? ?", Some((Shape::Dir, None))),
            ("?????????? ? ?", Some((Shape::Other, None))),
            ("d????????? x", None),
            ("drwxrwx", None),
            ("drwxrwx x", None),
            ("cardinals 1", None),
            ("x drwxr-xr-x 1", None),
            ("total 12", None),
            ("", None),
        ];
        for (line, want) in table {
            assert_eq!(find(line), want, "{line}");
        }
    }
}
