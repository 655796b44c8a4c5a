//! The command as a user meets it: its errors, its manual, what `ps` shows of it. Nothing here reaches a server.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use ftpfs::cli::options;
use ftpfs::cli::table::{self, Group};
use support::process::wait_until;
use tempfile::TempDir;

/// Generous: it tells a hang from slowness.
const LIMIT: Duration = Duration::from_secs(10);

const SECRET: &str = "hunter2";

/// Where the spool would be.
const CACHE: &str = "/var/tmp/ftpfs-test-of-the-command-line";

/// ftpfs in a session of its own, so that it finds no terminal to ask on, with an empty environment.
fn ftpfs(args: &[&str]) -> Command {
    let mut command = Command::new("setsid");
    command.arg("-w").arg(env!("CARGO_BIN_EXE_ftpfs")).args(args);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    // Only named, never made: a mount would make it.
    command.env("XDG_CACHE_HOME", CACHE);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(args: &[&str]) -> Output {
    ftpfs(args).output().expect("setsid and ftpfs can be run")
}

/// Status and standard error of a run that must fail with exactly one line.
fn failure(output: &Output) -> (Option<i32>, String) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.stdout.is_empty(), "standard output: {}", String::from_utf8_lossy(&output.stdout));
    assert!(text.starts_with("ftpfs: ") && text.ends_with('\n') && text.lines().count() == 1, "not one line: {text:?}");
    assert!(!text.contains(SECRET), "the password is shown: {text}");
    (output.status.code(), text["ftpfs: ".len()..].trim_end().to_string())
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("temporary directory")
}

/// A file in `dir` with `text` and `mode`.
fn file(dir: &TempDir, name: &str, text: &str, mode: u32) -> String {
    let path = dir.path().join(name);
    fs::write(&path, text).expect("write");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("chmod");
    path.display().to_string()
}

fn pipe(dir: &TempDir, name: &str) -> String {
    let path = dir.path().join(name).display().to_string();
    let made = Command::new("mkfifo").args(["-m", "600", &path]).status().expect("mkfifo can be run");
    assert!(made.success());
    path
}

// Errors.

#[test]
fn a_command_line_without_sense_is_status_2() {
    let dir = directory();
    let on = dir.path().display().to_string();
    for (args, want) in [
        (&["-f"][..], "URL and MOUNTPOINT are missing; see ftpfs --help"),
        (&["h"], "MOUNTPOINT is missing; see ftpfs --help"),
        (
            &["ftp://u:hunter2@h", &on, "ftp://u:hunter2@h"],
            "too many arguments: one URL and one MOUNTPOINT; see ftpfs --help",
        ),
        (&["--tiemout", "3", "h", &on], "unknown option '--tiemout', did you mean '--timeout'?"),
        (&["--qqq=hunter2", "h", &on], "unknown option '--qqq'; see ftpfs --help"),
        (&["-x", "h", &on], "unknown option '-x'; see ftpfs --help"),
        (&["--ro=yes", "h", &on], "option '--ro': takes no value"),
        (&["h", &on, "--timeout"], "option '--timeout': needs a value"),
        (&["--timeout=soon", "h", &on], "option 'timeout': 'soon' is not a time such as 30, 30s, 500ms, 2m or 1h"),
        (&["--timeout=0", "h", &on], "option 'timeout': '0' is not within 1s to 1h"),
        (&["--memory", "1M", "h", &on], "option 'memory': '1M' is not within 4M to 64G"),
        (&["--max-connections", "0", "h", &on], "option 'max_connections': '0' is not a number from 1 to 64"),
        (&["-o", "max_connections=x", "h", &on], "option 'max_connections': 'x' is not a number from 1 to 64"),
        (&["-o", "umask=888", "h", &on], "option 'umask': '888' is not an octal mask from 000 to 777"),
        (&["-o", "upload=fast", "h", &on], "option 'upload': 'fast' is not one of auto, inplace, atomic"),
        (&["--perms=yes", "h", &on], "option 'perms': 'yes' is not one of ignore, strict"),
        (&["-o", "spool_size=1M", "h", &on], "option 'spool_size': '1M' is not within 16M to 1024T"),
        (&["--drain-timeout", "2d", "h", &on], "option 'drain_timeout': '2d' is not within 0 to 1d"),
        (&["-o", "writeback=yes", "h", &on], "option 'writeback': takes no value"),
        (&["--spool-dir=", "h", &on], "option 'spool_dir': the file name is empty"),
        (&["-o", "ro,wibble=1", "h", &on], "unknown option 'wibble'"),
        (&["-o", "user=u:hun,hunter2", "h", &on], "unknown option after 'user=' (in a password write , as \\,)"),
        (&["-o", "timeout", "h", &on], "option 'timeout': needs a value"),
        (&["-o", "allow_root", "--allow-other", "h", &on], "options 'allow_other' and 'allow_root' exclude each other"),
        (&["--syslog", "--log-file=x", "h", &on], "options 'log_file' and 'syslog' exclude each other"),
        (&["", &on], "bad URL: the host is missing"),
        (&["http://u:hunter2@h", &on], "bad URL: the scheme is 'http', not ftp, ftps or ftpes"),
        (&["u:hunter2%0d%0aDELE x@h", &on], "bad URL: the password holds a line break or a NUL"),
        (
            &["ftp://u:hunter2/x@h", &on],
            "bad URL: the port is not a number from 1 to 65535 (in a password write / as %2F)",
        ),
    ] {
        assert_eq!(failure(&run(args)), (Some(2), want.to_string()), "{args:?}");
    }
}

#[test]
fn a_mountpoint_has_to_be_a_directory() {
    let dir = directory();
    let plain = file(&dir, "file", "", 0o600);
    let missing = dir.path().join("new\nline").display().to_string();
    let (_, text) = failure(&run(&["h", &missing]));
    assert!(text.ends_with("new\\nline does not exist"), "{text}");
    assert_eq!(failure(&run(&["h", &plain])), (Some(1), format!("mountpoint {plain} is not a directory")));
}

#[test]
fn a_spool_in_the_mount_is_refused() {
    let dir = directory();
    let on = dir.path().canonicalize().expect("a path").display().to_string();
    let spool = format!("{on}/.cache/ftpfs");
    let want = format!("spool directory {spool} is below the mountpoint {on}: name another with spool_dir");
    assert_eq!(failure(&run(&["--spool-dir", &spool, "h", &on])), (Some(1), want.clone()));
    // Someone mounts on his home.
    let at_home = ftpfs(&["h", &on]).env_remove("XDG_CACHE_HOME").env("HOME", &on).output().expect("run");
    assert_eq!(failure(&at_home), (Some(1), want));
}

#[test]
fn sync_is_for_directories_of_ftpfs() {
    let dir = directory();
    let fifo = pipe(&dir, "fifo");
    let on = dir.path().display().to_string();
    assert_eq!(failure(&run(&["sync", &on])), (Some(1), format!("cannot sync {on}: not a mount of ftpfs")));
    assert_eq!(failure(&run(&["sync", &fifo])), (Some(1), format!("cannot sync {fifo}: Not a directory")));
    let missing = format!("cannot sync {on}/x: No such file or directory");
    assert_eq!(failure(&run(&["sync", &format!("{on}/x")])), (Some(1), missing));
    // A host of that name.
    let spool = format!("spool_dir={on}");
    let refused = failure(&run(&["sync", &on, "-o", &spool]));
    assert!(refused.1.contains("below the mountpoint"), "{refused:?}");
}

#[test]
fn help_and_version_are_status_0() {
    let version = run(&["--version"]);
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&version.stdout), format!("ftpfs {}\n", env!("CARGO_PKG_VERSION")));
    let help = run(&["-h"]);
    assert_eq!((help.status.code(), help.stderr.len()), (Some(0), 0));
}

// Passwords.

#[test]
fn files_with_passwords_must_be_private_and_readable() {
    let dir = directory();
    let on = dir.path().display().to_string();
    let says = |args: &[&str]| failure(&run(&[args, &["h", &on]].concat())).1;
    let open = file(&dir, "open", "username=u\npassword=hunter2\n", 0o644);
    assert_eq!(
        says(&["--credentials", &open]),
        format!("credentials file {open}: others can read this password: chmod 600")
    );
    let odd = file(&dir, "odd", "username=u\nhunter2\n", 0o600);
    let option = format!("credentials={odd}");
    assert_eq!(
        says(&["-o", &option]),
        format!("credentials file {odd}: line 2 is neither username=NAME nor password=PASSWORD")
    );
    assert_eq!(says(&["--credentials", "no/such"]), "credentials file no/such: No such file or directory");
    let netrc = file(&dir, "netrc", "machine h login u password hunter2", 0o604);
    assert_eq!(says(&["--netrc", &netrc]), format!("netrc {netrc}: others can read this password: chmod 600"));
    let odd = file(&dir, "odd-netrc", "machine h login u password \"hunter2", 0o600);
    assert_eq!(says(&["--netrc", &odd]), format!("netrc {odd}: line 1: the closing quote is missing"));
}

#[test]
fn netrc_is_found_in_home_and_by_its_variable() {
    let dir = directory();
    let on = dir.path().display().to_string();
    file(&dir, ".netrc", "machine h login u password hunter2", 0o644);
    let output = ftpfs(&["h", &on]).env("HOME", dir.path()).output().expect("run");
    assert!(failure(&output).1.ends_with(".netrc: others can read this password: chmod 600"));
    let other = file(&dir, "other", "machine h login", 0o600);
    let output = ftpfs(&["h", &on]).env("HOME", dir.path()).env("NETRC", &other).output().expect("run");
    assert_eq!(failure(&output).1, format!("netrc {other}: line 1: nothing follows 'login'"));
}

#[test]
fn without_a_terminal_a_missing_password_is_an_error() {
    let dir = directory();
    let on = dir.path().display().to_string();
    let want = "no password for u@h, and no terminal to ask on: use --credentials, netrc or FTPFS_PASSWORD";
    assert_eq!(failure(&run(&["u@h", &on])), (Some(1), want.to_string()));
    let output = ftpfs(&["h", &on]).env("FTPFS_PASSWORD", SECRET).output().expect("run");
    assert_eq!(failure(&output), (Some(1), "a password is given, but no user name".to_string()));
}

/// Starts ftpfs so that it waits for its credentials file, a pipe without a writer, and returns what /proc shows of it.
fn seen_in_proc(args: &[&str], what: &str) -> String {
    let dir = directory();
    let (pipe, on) = (pipe(&dir, "pipe"), dir.path().display().to_string());
    let mut command = Command::new(env!("CARGO_BIN_EXE_ftpfs"));
    command.args(["--spool-dir", CACHE, "--credentials", &pipe]).args(args).arg(&on);
    command.env_clear().env("FTPFS_PASSWORD", SECRET).stdin(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().expect("ftpfs can be run");
    let path = PathBuf::from(format!("/proc/{}/{what}", child.id()));
    // Before the exec this shows the test itself, and until it has run a little the password.
    let seen = wait_until("hiding", LIMIT, || {
        fs::read(&path).ok().map(|text| String::from_utf8_lossy(&text).into_owned()).filter(|text| text.contains("**"))
    });
    // Something that is no credentials file ends it.
    fs::File::options()
        .write(true)
        .open(&pipe)
        .and_then(|mut pipe| pipe.write_all(b"end\n"))
        .expect("write to the pipe");
    let output = child.wait_with_output().expect("wait");
    assert_eq!(output.status.code(), Some(1));
    seen.replace(&pipe, "PIPE").replace(&on, "DIR").replace('\0', " ")
}

#[test]
fn ps_shows_stars_where_a_password_was() {
    for (args, want) in [
        (&["ftp://u:hunter2@h/a"][..], "ftp://u:*******@h/a DIR "),
        (&["u:hunter2@h", "--user=u:hunter2"], "u:*******@h --user=u:******* DIR "),
        (&["--user", "u:hunter2", "h"], "--user u:******* h DIR "),
        (&["-fouser=u:hunter2,ro", "h"], "-fouser=u:*******,ro h DIR "),
    ] {
        let seen = seen_in_proc(args, "cmdline");
        assert!(seen.ends_with(&format!("--credentials PIPE {want}")), "{seen}");
        assert!(!seen.contains(SECRET), "{seen}");
    }
    assert_eq!(seen_in_proc(&["h"], "environ"), "FTPFS_PASSWORD=******* ");
}

// The background.

#[test]
fn the_background_process_tells_why_it_failed() {
    let dir = directory();
    let on = dir.path().display().to_string();
    let want = "log file /no/such/log: No such file or directory (os error 2)";
    for flag in ["-v", "-f"] {
        assert_eq!(failure(&run(&[flag, "--log-file", "/no/such/log", "h", &on])), (Some(1), want.to_string()));
    }
}

/// An ftpfs whose background process hangs while it opens its log, and that process.
fn hanging(dir: &TempDir) -> (Child, u32) {
    let (log, on) = (pipe(dir, "log"), dir.path().display().to_string());
    let mut command = Command::new(env!("CARGO_BIN_EXE_ftpfs"));
    command.args(["--spool-dir", CACHE, "--log-file", &log, "h", &on]).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let front = command.spawn().expect("ftpfs can be run");
    let children = format!("/proc/{0}/task/{0}/children", front.id());
    let back =
        wait_until("the fork", LIMIT, || fs::read_to_string(&children).ok()?.split_whitespace().next()?.parse().ok());
    // Its own session is the last thing but one that it does before the log.
    wait_until("setsid", LIMIT, || session(back).filter(|&session| session == back));
    (front, back)
}

fn session(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(3)?.parse().ok()
}

fn kill(signal: &str, process: u32) {
    let sent = Command::new("kill").args([signal, &process.to_string()]).status().expect("kill can be run");
    assert!(sent.success());
}

#[test]
fn a_background_process_that_dies_silently_is_an_error() {
    let dir = directory();
    let (front, back) = hanging(&dir);
    kill("-KILL", back);
    let output = front.wait_with_output().expect("wait");
    let want = "the background process ended before the mount was ready (signal 9)";
    assert_eq!(failure(&output), (Some(1), want.to_string()));
}

#[test]
fn an_interrupt_ends_both_processes() {
    let dir = directory();
    let (front, back) = hanging(&dir);
    kill("-INT", front.id());
    let output = front.wait_with_output().expect("wait");
    assert_eq!(failure(&output), (Some(1), "interrupted".to_string()));
    wait_until("its end", LIMIT, || {
        (!Path::new(&format!("/proc/{back}")).exists() || session(back).is_none()).then_some(())
    });
}

// The manual.

/// Entries of `--help`: the option with the name of its value, and its text.
fn help_entries() -> BTreeMap<String, String> {
    let output = run(&["--help"]);
    let mut entries: Vec<(String, String)> = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let word = line.trim_start();
        if line.starts_with(' ') && word.starts_with('-') {
            let (tag, text) = word.split_once("  ").expect("two blanks before the text");
            entries.push((tag.replace(['<', '>'], ""), text.trim().to_string()));
        } else if let (true, Some((_, text))) = (line.starts_with("          "), entries.last_mut()) {
            text.push(' ');
            text.push_str(word);
        }
    }
    entries.into_iter().collect()
}

/// Entries under OPTIONS in the manual: the tag and its text, without the changes of font.
fn manual_entries() -> BTreeMap<String, String> {
    let page = manual();
    let (_, options) = page.split_once(".SH OPTIONS\n").expect("a section OPTIONS");
    let (options, _) = options.split_once("\n.SH ").expect("a section after it");
    let mut entries = BTreeMap::new();
    for entry in options.split(".TP\n").skip(1) {
        let (tag, text) = entry.split_once('\n').expect("a text after the tag");
        let text = text.split("\n.SS").next().unwrap_or_default().split("\n.PP").next().unwrap_or_default();
        assert!(entries.insert(tag.to_string(), text.replace('\n', " ")).is_none(), "{tag} stands there twice");
    }
    entries
}

fn manual() -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("man/ftpfs.1")).expect("the manual");
    ["\\fB", "\\fI", "\\fR", "\\fP"].iter().fold(text.replace("\\-", "-"), |text, font| text.replace(font, ""))
}

/// The tag of a setting in the manual, made of that in `--help`.
fn manual_tag(help: &str) -> String {
    let long = help.split(", ").last().unwrap_or_default();
    let (name, value) = long.split_once(' ').map_or((long, ""), |(name, value)| (name, value));
    let Some(setting) = table::all().find(|s| format!("--{}", s.long()) == name) else { return help.to_string() };
    let equals = if value.is_empty() { "" } else { "=" };
    format!("{help}, -o {}{equals}{value}", setting.name)
}

#[test]
fn help_and_manual_know_the_same_options() {
    let only_list = table::all().filter(|s| s.group == Group::List).map(|s| format!("-o {}", s.name));
    let mut want: BTreeSet<String> = only_list.collect();
    want.extend(help_entries().keys().map(|tag| manual_tag(tag)));
    let lists = |tag: &str| tag.starts_with("-o ");
    let found: BTreeSet<String> = manual_entries()
        .into_keys()
        .flat_map(|tag| if lists(&tag) { tag.split(", ").map(str::to_string).collect() } else { vec![tag] })
        .collect();
    assert_eq!(found, want);
    let shown = table::all().filter(|s| s.group != Group::List).count();
    assert_eq!(help_entries().len(), shown + 5, "-o, -s, -n, -h and -V besides the table");
}

#[test]
fn help_and_manual_agree_on_defaults_and_ranges() {
    let manual = manual_entries();
    for (tag, help) in help_entries() {
        let text = &manual[&manual_tag(&tag)];
        let default = help.split_once("[default: ").map(|(_, d)| format!("Default: {}.", d.trim_end_matches(']')));
        let told = text.find("Default: ").map(|at| text[at..].trim().to_string());
        assert_eq!(told, default, "{tag}");
        let words: Vec<&str> = help.split_whitespace().collect();
        for range in words.windows(3).filter(|w| w[1] == "to" && w[0].starts_with(|c: char| c.is_ascii_digit())) {
            let range = range.join(" ");
            assert!(text.contains(range.trim_end_matches(',')), "{tag}: {range} is missing in the manual");
        }
    }
}

#[test]
fn the_manual_names_every_word_of_the_list() {
    let page = manual();
    let aliases = table::all().flat_map(|s| s.aliases).copied();
    for word in aliases.chain(options::IGNORED.iter().copied()).chain(options::NOTED.iter().copied()) {
        let stands = page.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|w| w == word);
        assert!(stands, "{word} is missing in the manual");
    }
    for word in options::IGNORED_VALUED {
        assert!(page.contains(&format!("{word}=")), "{word}= is missing in the manual");
    }
}
