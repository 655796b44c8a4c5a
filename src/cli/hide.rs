//! Takes passwords out of what `ps` and `/proc/PID/environ` show.
//!
//! The kernel answers `/proc/PID/cmdline` and `environ` from the process's own memory. Where those bytes lie stands in
//! `/proc/self/stat`; writing there through `/proc/self/mem` needs no unsafe code. Best effort: for the moment between
//! exec and here the password can be seen, which is why the manual recommends a file.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

use super::options;
use super::url;

/// Overwrites each password in the arguments `args` of this process, and `FTPFS_PASSWORD` in its environment.
///
/// Call it once both have been copied: what std reads of them afterwards is stars.
///
/// # Errors
/// Where `/proc` is missing or does not show what was expected. Nothing depends on it.
pub fn hide(args: &[OsString]) -> io::Result<()> {
    let secrets = in_arguments(args);
    let variable = std::env::var_os(VARIABLE).is_some();
    if secrets.is_empty() && !variable {
        return Ok(());
    }
    let stat = fs::read("/proc/self/stat")?;
    let areas = Areas::parse(&stat).ok_or(io::ErrorKind::InvalidData)?;
    let memory = File::options().write(true).open("/proc/self/mem")?;
    let cover = |area: &Range<u64>, secret: Range<usize>| {
        let begin = area.start + secret.start as u64;
        if begin + secret.len() as u64 > area.end {
            return Err(io::ErrorKind::InvalidData.into());
        }
        memory.write_all_at(&vec![b'*'; secret.len()], begin)
    };
    let command = fs::read("/proc/self/cmdline")?;
    let copied = args.iter().flat_map(|arg| arg.as_bytes().iter().chain(b"\0"));
    if !secrets.is_empty() && !command.iter().eq(copied) {
        // Something has changed its title already: its arguments do not lie where they did.
        return Err(io::ErrorKind::InvalidData.into());
    }
    for secret in secrets {
        cover(&areas.arguments, secret)?;
    }
    for secret in in_environment(&fs::read("/proc/self/environ")?) {
        cover(&areas.environment, secret)?;
    }
    Ok(())
}

const VARIABLE: &str = "FTPFS_PASSWORD";

/// Where the kernel believes arguments and environment to be.
struct Areas {
    arguments: Range<u64>,
    environment: Range<u64>,
}

impl Areas {
    fn parse(stat: &[u8]) -> Option<Self> {
        // The second field is the program's name in parentheses and may hold blanks and parentheses itself.
        let end = stat.iter().rposition(|&b| b == b')')?;
        let rest = std::str::from_utf8(&stat[end + 1..]).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // proc_pid_stat(5) counts from 1, and the first field after the name is the third.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok().filter(|&n| n != 0);
        Some(Self { arguments: field(48)?..field(49)?, environment: field(50)?..field(51)? })
    }
}

/// The places of passwords, counted from the beginning of the first argument, each argument ending with a NUL.
fn in_arguments(args: &[OsString]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut begin = 0;
    let mut before: &[u8] = b"";
    for (number, arg) in args.iter().enumerate() {
        let arg = arg.as_bytes();
        if number > 0 {
            found.extend(in_argument(before, arg).into_iter().map(|r| begin + r.start..begin + r.end));
        }
        begin += arg.len() + 1;
        before = arg;
    }
    found
}

/// Reads an argument by its looks and by the one before it: this comes before the real parser, and works for command
/// lines that it refuses.
fn in_argument(before: &[u8], arg: &[u8]) -> Vec<Range<usize>> {
    let is_cluster = |a: &[u8]| a.len() > 1 && a[0] == b'-' && a[1] != b'-';
    let shift = |by: usize, ranges: Vec<Range<usize>>| ranges.into_iter().map(|r| by + r.start..by + r.end).collect();
    if before == b"--user" {
        after_colon(arg)
    } else if let Some(value) = arg.strip_prefix(b"--user=") {
        shift(b"--user=".len(), after_colon(value))
    } else if before == b"--account" {
        std::iter::once(0..arg.len()).collect()
    } else if arg.starts_with(b"--account=") {
        after(b'=', arg)
    } else if before == b"--options" || (is_cluster(before) && before.ends_with(b"o")) {
        in_list(arg)
    } else if let Some(list) = arg.strip_prefix(b"--options=") {
        shift(b"--options=".len(), in_list(list))
    } else if is_cluster(arg) {
        // -fouser=x:y: all other letters are flags, so the first o begins the list.
        let at = arg.iter().position(|&b| b == b'o').map_or(arg.len(), |o| o + 1);
        shift(at, in_list(&arg[at..]))
    } else {
        url::password_range(arg).into_iter().collect()
    }
}

fn in_list(list: &[u8]) -> Vec<Range<usize>> {
    let secret = |word: &options::Word| {
        let text = &list[word.range.clone()];
        match &word.name[..] {
            b"user" => after_colon(text),
            b"account" => after(b'=', text),
            _ => Vec::new(),
        }
    };
    let words = options::split(list);
    words.iter().flat_map(|w| secret(w).into_iter().map(|r| w.range.start + r.start..w.range.end)).collect()
}

fn after_colon(text: &[u8]) -> Vec<Range<usize>> {
    after(b':', text)
}

fn after(mark: u8, text: &[u8]) -> Vec<Range<usize>> {
    text.iter().position(|&b| b == mark).map(|at| at + 1..text.len()).into_iter().collect()
}

fn in_environment(block: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut begin = 0;
    for entry in block.split(|&b| b == 0) {
        let value = entry.strip_prefix(VARIABLE.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
        if let Some(value) = value {
            found.push(begin + entry.len() - value.len()..begin + entry.len());
        }
        begin += entry.len() + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starred(args: &[&str]) -> String {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let mut joined: Vec<u8> = args.iter().flat_map(|a| a.as_bytes().iter().chain(b"\0")).copied().collect();
        for range in in_arguments(&args) {
            joined[range].fill(b'*');
        }
        String::from_utf8_lossy(&joined).trim_end_matches('\0').replace('\0', " ")
    }

    #[test]
    fn passwords_are_found_in_every_form() {
        for (args, want) in [
            (&["ftpfs", "ftp://bob:pw@h/a", "/mnt"][..], "ftpfs ftp://bob:**@h/a /mnt"),
            (&["ftpfs", "--user", "bob:p w", "h", "/mnt"], "ftpfs --user bob:*** h /mnt"),
            (&["ftpfs", "--user=bob:p:w", "h"], "ftpfs --user=bob:*** h"),
            (&["ftpfs", "-o", "ro,user=bob:p\\,w,uid=1", "h"], "ftpfs -o ro,user=bob:****,uid=1 h"),
            (&["ftpfs", "-fouser=bob:pw,ro", "h"], "ftpfs -fouser=bob:**,ro h"),
            (&["ftpfs", "-fo", "user=bob:pw", "h"], "ftpfs -fo user=bob:** h"),
            (&["ftpfs", "--options=user=bob:pw", "h"], "ftpfs --options=user=bob:** h"),
            (&["ftpfs", "ftps://bob:pw@h", "-d"], "ftpfs ftps://bob:**@h -d"),
            (
                &["ftpfs", "--account", "a b", "--account=x", "-oaccount=yz"],
                "ftpfs --account *** --account=* -oaccount=**",
            ),
            (&["ftpfs", "--user", "bob", "ftp://bob@h", "/a:b@c"], "ftpfs --user bob ftp://bob@h /a:b@c"),
        ] {
            assert_eq!(starred(args), want);
        }
    }

    #[test]
    fn the_variable_is_found() {
        let block = b"A=FTPFS_PASSWORD=1\0FTPFS_PASSWORD=pw\0FTPFS_PASSWORDS=no\0";
        assert_eq!(in_environment(block), vec![Range { start: 34, end: 36 }]);
    }

    #[test]
    fn a_program_name_with_parentheses_does_not_shift_the_fields() {
        let fields: Vec<String> = (3..=52).map(|n| n.to_string()).collect();
        let areas = Areas::parse(format!("1 (a) b) {}", fields.join(" ")).as_bytes()).expect("fields");
        assert_eq!((areas.arguments, areas.environment), (48..49, 50..51));
    }
}
