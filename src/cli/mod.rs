//! From words to settings: arguments, URL, `-o` lists, credentials.
//!
//! [`table`] holds the settings, [`options`] the list of `-o`, [`url`], [`netrc`] and [`credentials`] the rest; `clap`
//! cuts the arguments up and prints `--help`. [`sync`] is a command of its own. Settings are applied in the order in which they were written, whether in
//! `-o` or as long options: the last one counts, as with mount(8).

pub mod credentials;
pub mod hide;
mod mountpoint;
pub mod netrc;
pub mod options;
mod spool;
pub mod sync;
pub mod table;
pub mod url;
mod values;

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};
use log::{Level, LevelFilter};

use self::credentials::{Environment, Login, Prompt, Sources};
use self::options::Meaning;
use self::table::{Draft, Group, Setting};
use self::url::{Scheme, Url};
use crate::base::sys;
use crate::config::{Config, DiskCache, Files, Mount, Server, Tls, TlsMode, Write};
use crate::logging;

/// What the command line asks for.
#[derive(Debug)]
pub enum Cli {
    /// Mount.
    Run(Box<Settings>),
    /// Wait until everything below this directory is stored.
    Sync(PathBuf),
    /// Print this text and leave: `--help`, `--version`.
    Print(String),
}

/// Everything that a mount needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For [`app::run`](crate::app::run).
    pub config: Config,
    /// Whether to stay in the foreground.
    pub foreground: bool,
    /// Where the log goes.
    pub log: logging::Settings,
    /// To be logged once there is a log.
    pub notes: Vec<(Level, String)>,
}

/// Why nothing is mounted: one line, without any password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The line, without `ftpfs:` before it.
    pub text: String,
    /// Exit status: 2 for a command line that makes no sense, 1 for everything else.
    pub status: u8,
}

impl Failure {
    fn usage(text: impl Into<String>) -> Self {
        Self { text: text.into(), status: 2 }
    }

    fn other(text: impl Into<String>) -> Self {
        Self { text: text.into(), status: 1 }
    }
}

/// Understands the command line `args`, the program's name first.
///
/// # Errors
/// One line for the user.
pub fn parse(args: Vec<OsString>, environment: &Environment, prompt: &mut Prompt<'_>) -> Result<Cli, Failure> {
    if let Some(directory) = sync::asked_for(&args) {
        return Ok(Cli::Sync(directory));
    }
    let matches = match command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return Ok(Cli::Print(error.to_string()));
        }
        Err(error) => return Err(Failure::usage(explain(&error))),
    };
    let draft = read_settings(&matches).map_err(Failure::usage)?;
    let place = |id: &str| matches.get_one::<OsString>(id).expect("clap insists on both");
    let (url, directory) = (place(URL), place(MOUNTPOINT));
    let url = url::parse(url.as_bytes()).map_err(Failure::usage)?;
    check_combinations(&draft).map_err(Failure::usage)?;
    let tls = Tls { mode: tls_mode(&draft, url.scheme).map_err(Failure::usage)?, ..draft.tls.clone() };
    finish(draft, url, tls, Path::new(directory), environment, prompt)
        .map(|s| Cli::Run(Box::new(s)))
        .map_err(Failure::other)
}

/// The definition for clap, made of the table.
pub fn command() -> Command {
    let list = Arg::new(OPTIONS)
        .short('o')
        .long(OPTIONS)
        .value_name("LIST")
        .help("Options as mount(8) gives them, separated by commas; may be repeated")
        .action(ArgAction::Append)
        .value_parser(clap::value_parser!(OsString));
    let place = |id: &'static str, help: &'static str| {
        Arg::new(id).value_name(id).required(true).help(help).value_parser(clap::value_parser!(OsString))
    };
    Command::new("ftpfs")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Mounts a directory of an FTP server")
        .override_usage("ftpfs [OPTIONS] URL MOUNTPOINT\n       ftpfs sync DIRECTORY")
        .after_help(after_help())
        .arg(place(
            URL,
            "ftp[es]://[USER[:PASSWORD]@]HOST[:PORT][/PATH], or ftps://; the path begins at the login directory",
        ))
        .arg(place(MOUNTPOINT, "The directory to mount on"))
        .arg(list)
        .args(['s', 'n'].map(ignored))
        .args(table::all().filter(|s| s.group != Group::List).map(argument))
}

/// A flag that mount(8) or scripts written for curlftpfs pass.
fn ignored(letter: char) -> Arg {
    flag(Arg::new(letter.to_string()).short(letter).help("Accepted and ignored").action(ArgAction::Append))
}

/// An empty value in place of none, so that each occurrence has its place in the order.
fn flag(arg: Arg) -> Arg {
    arg.num_args(0).default_missing_value("")
}

fn argument(setting: &'static Setting) -> Arg {
    let mut help = setting.help.to_string();
    if let Some(default) = setting.default {
        help.push_str(&format!(" [default: {default}]"));
    }
    let arg = Arg::new(setting.name)
        .long(setting.long())
        .help(help)
        .help_heading(setting.group.heading())
        .action(ArgAction::Append)
        .value_parser(clap::value_parser!(OsString))
        .aliases(
            setting.aliases.iter().copied().chain([setting.name]).flat_map(|a| [a.to_string(), a.replace('_', "-")]),
        );
    let arg = match setting.short {
        Some(letter) => arg.short(letter),
        None => arg,
    };
    match setting.value {
        Some(value) => arg.value_name(value),
        None => flag(arg),
    }
}

fn after_help() -> String {
    let words = |group: Group| table::all().filter(move |s| s.group == group).map(|s| s.name).collect::<Vec<_>>();
    format!(
        "Every long option can be written in -o as well: --max-connections 4 is -o max_connections=4.\n\
         Only in -o: {}.\n\
         ftpfs sync waits until everything below a mounted directory is stored on the server.\n\
         Without a password in the URL, in --user, --credentials, FTPFS_PASSWORD or netrc, ftpfs asks for it.\n\
         The manual page ftpfs(1) tells more.",
        words(Group::List).join(", ")
    )
}

/// Applies all settings in the order of the command line.
fn read_settings(matches: &ArgMatches) -> Result<Draft, String> {
    let mut found: Vec<(usize, &'static Setting, Option<Vec<u8>>)> = Vec::new();
    for setting in table::all().filter(|s| s.group != Group::List) {
        for (index, value) in occurrences(matches, setting.name) {
            found.push((index, setting, setting.value.map(|_| value)));
        }
    }
    let mut notes = Vec::new();
    for (index, list) in occurrences(matches, OPTIONS) {
        let words = options::split(&list);
        for (number, word) in words.iter().enumerate() {
            match options::meaning(word, &words[..number])? {
                Meaning::Set(setting) => found.push((index, setting, word.value.clone())),
                Meaning::Note(name) => notes.push((Level::Info, format!("option '{name}' changes nothing here"))),
                Meaning::Ignore => {}
            }
        }
    }
    // Stable: the words of one -o keep their order.
    found.sort_by_key(|(index, ..)| *index);
    let mut draft = Draft::new();
    draft.notes = notes;
    for (_, setting, value) in found {
        setting.apply(&mut draft, value.as_deref())?;
    }
    Ok(draft)
}

fn occurrences(matches: &ArgMatches, id: &str) -> Vec<(usize, Vec<u8>)> {
    let values = matches.get_many::<OsString>(id).into_iter().flatten();
    let indices = matches.indices_of(id).into_iter().flatten();
    indices.zip(values.map(|value| value.clone().into_vec())).collect()
}

fn check_combinations(draft: &Draft) -> Result<(), String> {
    if draft.allow_other && draft.allow_root {
        return Err("options 'allow_other' and 'allow_root' exclude each other".into());
    }
    if draft.log_file.is_some() && draft.syslog {
        return Err("options 'log_file' and 'syslog' exclude each other".into());
    }
    if draft.cache_limit.is_some() && draft.cache_dir.is_none() {
        return Err("option 'cache_size' does nothing without 'cache_dir'".into());
    }
    Ok(())
}

/// When to encrypt: what the options say, but never less than the URL does.
fn tls_mode(draft: &Draft, scheme: Scheme) -> Result<TlsMode, String> {
    match (scheme, draft.tls_mode) {
        (Scheme::Ftpes, _) if draft.implicit => Err("ftpes:// and 'implicit' exclude each other".into()),
        (Scheme::Ftp, Some(TlsMode::Off | TlsMode::Try)) if draft.implicit => {
            Err("'implicit' asks for TLS, and the option tls does without".into())
        }
        (Scheme::Ftp, _) if draft.implicit => Ok(TlsMode::Implicit),
        (Scheme::Ftp, Some(mode)) => Ok(mode),
        // Who says which certificate is good counts on seeing one.
        (Scheme::Ftp, None) if draft.tls.names_certificates() => Ok(TlsMode::Require),
        (Scheme::Ftp, None) => Ok(TlsMode::Try),
        (Scheme::Ftpes | Scheme::Ftps, Some(TlsMode::Off)) => {
            Err("the URL asks for TLS, and tls=off forbids it".into())
        }
        (Scheme::Ftpes | Scheme::Ftps, Some(TlsMode::Try)) => {
            Err("the URL asks for TLS, and tls=try would do without".into())
        }
        (Scheme::Ftpes, _) => Ok(TlsMode::Require),
        (Scheme::Ftps, _) => Ok(TlsMode::Implicit),
    }
}

/// Looks at the machine: directory, files with passwords, terminal. The terminal last, so that nobody types a password
/// for nothing.
fn finish(
    draft: Draft,
    url: Url,
    tls: Tls,
    directory: &Path,
    environment: &Environment,
    prompt: &mut Prompt<'_>,
) -> Result<Settings, String> {
    let mountpoint = mountpoint::find(directory)?;
    let write = Write { identity: url.to_string(), ..write(&draft, environment, &mountpoint)? };
    let log = log_settings(&draft)?;
    let source = draft.source.clone().unwrap_or_else(|| url.to_string());
    let sources = Sources {
        url: Login { user: url.user, password: url.password },
        option: draft.login.clone(),
        credentials: draft.credentials.as_deref(),
        netrc: draft.netrc.as_deref(),
        host: &url.host,
    };
    let (user, password) = credentials::resolve(sources, environment, prompt)?;
    let server = Server {
        host: url.host,
        port: url.port.unwrap_or(if tls.mode == TlsMode::Implicit { IMPLICIT_PORT } else { PORT }),
        user,
        password,
        account: draft.account.clone(),
        path: url.path,
        family: draft.family,
        timeout: draft.timeout,
        connect_timeout: draft.connect_timeout.min(draft.timeout),
        max_connections: draft.max_connections,
        idle_timeout: draft.idle_timeout,
        disable_epsv: draft.disable_epsv,
        disable_mlsd: draft.disable_mlsd,
        tls,
        data: draft.data.clone(),
        listing: draft.listing.clone(),
    };
    let files = Files { cache: cache(&draft, &server, &mountpoint)?, ..files(&draft) };
    let config = Config { server, files, write, mount: mount(&draft, mountpoint, source) };
    Ok(Settings { config, foreground: draft.foreground || draft.debug, log, notes: draft.notes })
}

fn files(draft: &Draft) -> Files {
    let (uid, gid) = sys::caller();
    Files {
        uid: draft.uid.unwrap_or(uid),
        gid: draft.gid.unwrap_or(gid),
        file_mask: draft.file_mask,
        dir_mask: draft.dir_mask,
        attr_ttl: draft.attr_ttl,
        dir_ttl: draft.dir_ttl,
        negative_ttl: draft.negative_ttl,
        memory: draft.memory,
        cache: None,
    }
}

fn cache(draft: &Draft, server: &Server, mountpoint: &Path) -> Result<Option<DiskCache>, String> {
    let Some(dir) = &draft.cache_dir else { return Ok(None) };
    let dir = spool::find(dir, spool::CACHE, mountpoint)?;
    // The same files by whichever scheme, and for each user others.
    let host = server.host.to_ascii_lowercase();
    let server = format!("{}@{host}:{}", server.user.escape_ascii(), server.port);
    Ok(Some(DiskCache { dir, limit: draft.cache_limit.unwrap_or(CACHE_LIMIT), server }))
}

fn write(draft: &Draft, environment: &Environment, mountpoint: &Path) -> Result<Write, String> {
    let wanted = spool::choose(draft.spool.as_deref(), environment, sys::caller().0);
    let spool = match wanted.and_then(|path| spool::find(&path, spool::SPOOL, mountpoint)) {
        // Nothing is ever put into it.
        Err(_) if draft.read_only => PathBuf::from(spool::SYSTEM),
        found => found?,
    };
    Ok(Write {
        upload: draft.upload,
        spool_limit: draft.spool_limit,
        writeback: draft.writeback,
        drain_timeout: draft.drain_timeout,
        mfsymlinks: draft.mfsymlinks,
        perms: draft.perms,
        // One connection is left to questions.
        parallel: draft.max_connections.saturating_sub(1).max(1),
        ..Write::new(spool)
    })
}

fn mount(draft: &Draft, mountpoint: PathBuf, source: String) -> Mount {
    Mount {
        read_only: draft.read_only,
        mountpoint,
        source,
        allow_other: draft.allow_other,
        allow_root: draft.allow_root,
        default_permissions: draft.default_permissions,
        suid: draft.suid,
        dev: draft.dev,
        exec: draft.exec,
        threads: draft.threads,
    }
}

fn log_settings(draft: &Draft) -> Result<logging::Settings, String> {
    let foreground = draft.foreground || draft.debug;
    let usual = match (draft.debug, foreground) {
        (true, _) => LevelFilter::Debug,
        (false, true) => LevelFilter::Info,
        (false, false) => LevelFilter::Warn,
    };
    let raised = LevelFilter::iter().nth(usual as usize + draft.verbose).unwrap_or(LevelFilter::Trace);
    let target = match &draft.log_file {
        // Absolute, because the background process leaves this directory.
        Some(path) => logging::Target::File(
            std::path::absolute(path).map_err(|error| format!("log file {}: {error}", path.display()))?,
        ),
        None if draft.syslog => logging::Target::Syslog,
        None if foreground => logging::Target::Stderr,
        None => logging::Target::SyslogIfThere,
    };
    Ok(logging::Settings { level: draft.log_level.unwrap_or(raised), target })
}

/// One line for what clap says in many. Values are left out: one may be a password.
fn explain(error: &clap::Error) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let option = context(ContextKind::InvalidArg).unwrap_or_default();
    // "--timeout <TIME>" or "--timeout=5": the option alone.
    let option = option.split(['=', ' ']).next().unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument if option.starts_with("--") => match context(ContextKind::SuggestedArg) {
            Some(like) => format!("unknown option '{option}', did you mean '{like}'?"),
            None => format!("unknown option '{option}'; see ftpfs --help"),
        },
        ErrorKind::UnknownArgument if option.starts_with('-') => format!("unknown option '{option}'; see ftpfs --help"),
        ErrorKind::UnknownArgument => "too many arguments: one URL and one MOUNTPOINT; see ftpfs --help".into(),
        ErrorKind::MissingRequiredArgument => match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::Strings(missing)) if missing.len() == 1 => {
                "MOUNTPOINT is missing; see ftpfs --help".into()
            }
            _ => "URL and MOUNTPOINT are missing; see ftpfs --help".into(),
        },
        ErrorKind::TooManyValues | ErrorKind::WrongNumberOfValues if option.starts_with('-') => {
            format!("option '{option}': takes no value")
        }
        ErrorKind::InvalidValue | ErrorKind::TooFewValues if option.starts_with('-') => {
            format!("option '{option}': needs a value")
        }
        _ => "bad command line; see ftpfs --help".into(),
    }
}

const PORT: u16 = 21;
const IMPLICIT_PORT: u16 = 990;
/// What a disk cache may take unless somebody says so: little beside any disk, much beside what is read in a day.
const CACHE_LIMIT: u64 = 1 << 30;

const URL: &str = "URL";
const MOUNTPOINT: &str = "MOUNTPOINT";
const OPTIONS: &str = "options";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{Family, Perms, UploadWay};

    fn environment() -> Environment {
        Environment { cache_home: Some("/var/cache".into()), ..Environment::default() }
    }

    fn settings(args: &str) -> Result<Settings, Failure> {
        let words =
            format!("ftpfs ftp://h /usr {args}").split(' ').filter(|w| !w.is_empty()).map(OsString::from).collect();
        match parse(words, &environment(), &mut |_| Ok(String::new()))? {
            Cli::Run(settings) => Ok(*settings),
            other => panic!("asked for a mount: {other:?}"),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn the_last_setting_counts_wherever_it_stands() {
        let seconds = |args: &str| settings(args).map(|s| s.config.server.timeout.as_secs());
        assert_eq!(seconds("--timeout 5 -o timeout=6,timeout=7"), Ok(7));
        assert_eq!(seconds("-o timeout=6 --timeout=5 -o ro"), Ok(5));
        assert_eq!(seconds("-otimeout=6 --timeout 5 -o timeout=8"), Ok(8));
        let family = |args: &str| settings(args).map(|s| s.config.server.family);
        assert_eq!(family("-46"), Ok(Family::V6));
        assert_eq!(family("--ipv6 -o ipv4"), Ok(Family::V4));
    }

    #[test]
    fn both_spellings_of_a_name_are_taken() {
        for args in ["--max-connections 3", "--max_connections=3", "-o max_connections=3", "-o max-connections=3"] {
            assert_eq!(settings(args).map(|s| s.config.server.max_connections), Ok(3), "{args}");
        }
        let ttl =
            |args: &str| settings(args).map(|s| (s.config.files.attr_ttl.as_secs(), s.config.files.dir_ttl.as_secs()));
        assert_eq!(ttl("-o cache_timeout=3,cache_dir_timeout=4"), Ok((3, 4)));
        assert_eq!(ttl("--cache-stat-timeout 3"), Ok((3, 10)));
    }

    #[test]
    fn masks_ids_and_mount_flags_arrive() {
        let found = settings("-o uid=7,gid=8,umask=027,dmask=0,suid,noexec,allow_other,fsname=disk").expect("settings");
        assert_eq!((found.config.files.uid, found.config.files.gid), (7, 8));
        assert_eq!((found.config.files.file_mask, found.config.files.dir_mask), (Some(0o027), Some(0)));
        let mount = found.config.mount;
        assert_eq!((mount.suid, mount.dev, mount.exec, mount.allow_other), (true, false, false, true));
        assert_eq!(mount.source, "disk");
        let plain = settings("").expect("settings");
        assert_eq!((plain.config.files.uid, plain.config.files.gid), sys::caller());
        assert_eq!(plain.config.mount.source, "ftp://h");
        assert_eq!(settings("--timeout 4").map(|s| s.config.server.connect_timeout), Ok(Duration::from_secs(4)));
    }

    #[test]
    fn a_disk_cache_is_for_one_server_and_one_user() {
        let cache = |words: &str| settings(words).map(|s| s.config.files.cache);
        assert!(cache("-o ro").is_ok_and(|cache| cache.is_none()));
        let found = cache("-o cache_dir=relative,user=al").expect("understood").expect("asked for");
        let here = std::env::current_dir().and_then(|dir| dir.canonicalize()).expect("a directory");
        assert_eq!((found.dir, found.limit), (here.join("relative"), 1 << 30));
        assert_eq!(found.server, "al@h:21");
        let found = cache("-o cache_dir=/var/x,cache_size=2G").expect("understood").expect("asked for");
        assert_eq!((found.dir, found.limit), (PathBuf::from("/var/x"), 2 << 30));
        let failure = settings("-o cache_dir=/usr/cache").expect_err("below the mountpoint");
        assert_eq!(
            failure.text,
            "cache directory /usr/cache is below the mountpoint /usr: name another with cache_dir"
        );
        assert_eq!(settings("-o cache_size=2G").expect_err("no directory").status, 2);
    }

    #[test]
    fn encryption_is_what_url_and_options_ask_for() {
        let mode = |url: &str, list: &str| {
            let words = ["ftpfs", url, "/usr", "-o", list].map(OsString::from).to_vec();
            match parse(words, &environment(), &mut |_| Ok(String::new()))? {
                Cli::Run(s) => Ok((s.config.server.tls.mode, s.config.server.port)),
                other => panic!("asked for a mount: {other:?}"),
            }
        };
        use TlsMode::{Implicit, Off, Require, Try};
        for (url, list, want) in [
            ("ftp://h", "ro", (Try, 21)),
            ("ftp://h", "ssl", (Require, 21)),
            ("ftp://h", "ssl,tls=off", (Off, 21)),
            ("ftp://h", "implicit", (Implicit, 990)),
            ("ftp://h", "implicit,ssl", (Implicit, 990)),
            ("ftp://h:2121", "implicit", (Implicit, 2121)),
            ("ftpes://h", "ro", (Require, 21)),
            ("ftpes://h", "tls=require", (Require, 21)),
            ("ftp://h", "cacert=/x", (Require, 21)),
            ("ftp://h", "no_verify_peer", (Try, 21)),
            ("ftp://h", "cert=/x,tls=try", (Try, 21)),
            ("ftps://h", "ssl", (Implicit, 990)),
            ("ftps://h:21", "ro", (Implicit, 21)),
        ] {
            assert_eq!(mode(url, list), Ok(want), "{url} {list}");
        }
        assert!(
            mode("ftps://h", "tls=off")
                .is_err_and(|e: Failure| e.text == "the URL asks for TLS, and tls=off forbids it")
        );
        assert!(mode("ftpes://h", "tls=try").is_err_and(|e: Failure| e.text.contains("tls=try would do without")));
        assert!(mode("ftp://h", "implicit,tls=off").is_err_and(|e: Failure| e.text.contains("does without")));
        assert!(mode("ftpes://h", "implicit").is_err_and(|e: Failure| e.text.contains("exclude each other")));
    }

    #[test]
    fn level_and_target_follow_the_flags() {
        let log = |args: &str| settings(args).map(|s| (s.foreground, s.log.level, s.log.target));
        use LevelFilter::{Debug, Info, Trace, Warn};
        use logging::Target::{File, Stderr, Syslog, SyslogIfThere};
        assert_eq!(log(""), Ok((false, Warn, SyslogIfThere)));
        assert_eq!(log("-f"), Ok((true, Info, Stderr)));
        assert_eq!(log("-d"), Ok((true, Debug, Stderr)));
        assert_eq!(log("-vv"), Ok((false, Debug, SyslogIfThere)));
        assert_eq!(log("-fvvvvv"), Ok((true, Trace, Stderr)));
        assert_eq!(log("-d --log-level warn --syslog"), Ok((true, Warn, Syslog)));
        assert_eq!(log("-o debug,log_file=/x,verbose"), Ok((true, Trace, File("/x".into()))));
    }

    #[test]
    fn a_note_tells_what_has_no_effect() {
        assert_eq!(settings("-o rw,utf8,noauto").map(|s| s.notes.len()), Ok(1));
    }

    #[test]
    fn how_files_are_written_arrives() {
        let write = |args: &str| settings(args).map(|s| s.config.write);
        let plain = write("").expect("settings");
        assert_eq!((plain.upload, plain.spool_limit, plain.writeback), (UploadWay::Auto, None, false));
        assert_eq!((plain.mfsymlinks, plain.perms, plain.drain_timeout.as_secs()), (false, Perms::Ignore, 60));
        assert_eq!(plain.spool, Path::new("/var/cache/ftpfs"));
        let found =
            write("-o upload=atomic,spool=/var/x,spool_size=1T,writeback,drain_timeout=0,mfsymlinks,perms=strict");
        let found = found.expect("settings");
        assert_eq!((found.upload, found.spool_limit, found.writeback), (UploadWay::Atomic, Some(1 << 40), true));
        assert_eq!((found.mfsymlinks, found.perms, found.drain_timeout.as_secs()), (true, Perms::Strict, 0));
        assert_eq!(found.spool, Path::new("/var/x"));
        assert_eq!(
            write("--upload inplace --write-back").map(|w| (w.upload, w.writeback)),
            Ok((UploadWay::InPlace, true))
        );
    }

    #[test]
    fn read_only_is_what_was_said_last() {
        let read_only = |args: &str| settings(args).map(|s| s.config.mount.read_only);
        for (args, want) in [
            ("", false),
            ("-r", true),
            ("--read-only", true),
            ("-o ro", true),
            ("-o ro,rw", false),
            ("-o rw --ro", true),
            ("-o read_only", true),
        ] {
            assert_eq!(read_only(args), Ok(want), "{args}");
        }
    }

    #[test]
    fn only_who_writes_needs_a_spool() {
        let failure = settings("-o spool_dir=/usr/ftpfs").expect_err("below the mountpoint");
        assert!(failure.status == 1 && failure.text.contains("below the mountpoint /usr"), "{}", failure.text);
        assert!(settings("-o spool_dir=/usr/ftpfs,ro").is_ok_and(|s| s.config.mount.read_only));
    }
}
