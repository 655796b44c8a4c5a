//! The refusals of real servers, as measured, and what they must become.

use proptest::prelude::*;

use super::super::reply::parse_reply;
use super::ErrorKind::*;
use super::Found::{Absent, Dir, File, FullDir, Link, ParentAbsent, ParentNotDir, Unknown};
use super::*;
use crate::remote::RemotePath;

fn reply(line: &str) -> Reply {
    parse_reply(format!("{line}\r\n").as_bytes()).expect("a reply").expect("whole").0
}

/// One text for all causes: each row asks, and the look tells.
type Asked = (&'static str, &'static str, Found, ErrorKind);

/// The words settle it: no look.
type Told = (&'static str, &'static str, ErrorKind);

fn check_asked(table: &[Asked]) {
    for (verb, line, found, want) in table {
        match classify(verb, &reply(line), b"/x") {
            Verdict::Ask(question) => assert_eq!(question.settle(*found), *want, "{verb}: {line}, {found:?}"),
            Verdict::Sure(kind) => panic!("{verb}: {line}: {kind:?} without a look"),
        }
    }
}

fn check_told(table: &[Told]) {
    for (verb, line, want) in table {
        assert_eq!(classify(verb, &reply(line), b"/x"), Verdict::Sure(*want), "{verb}: {line}");
    }
}

#[test]
fn vsftpd_has_one_text_for_each_verb() {
    check_asked(&[
        ("RETR", "550 Failed to open file.", Absent, NotFound),
        ("RETR", "550 Failed to open file.", Dir, IsDir),
        ("RETR", "550 Failed to open file.", File, Denied),
        ("RETR", "550 Failed to open file.", ParentNotDir, NotDir),
        ("CWD", "550 Failed to change directory.", Absent, NotFound),
        ("CWD", "550 Failed to change directory.", File, NotDir),
        ("CWD", "550 Failed to change directory.", Dir, Denied),
        ("SIZE", "550 Could not get file size.", Dir, IsDir),
        ("MDTM", "550 Could not get file modification time.", Absent, NotFound),
        ("STOR", "553 Could not create file.", ParentAbsent, NotFound),
        ("STOR", "553 Could not create file.", ParentNotDir, NotDir),
        ("STOR", "553 Could not create file.", Dir, IsDir),
        ("STOR", "553 Could not create file.", Absent, Denied),
        ("STOR", "553 Could not create file.", File, Denied),
        ("APPE", "553 Could not create file.", FullDir, IsDir),
        ("MKD", "550 Create directory operation failed.", Dir, Exists),
        ("MKD", "550 Create directory operation failed.", File, Exists),
        ("MKD", "550 Create directory operation failed.", ParentAbsent, NotFound),
        ("MKD", "550 Create directory operation failed.", ParentNotDir, NotDir),
        ("MKD", "550 Create directory operation failed.", Absent, Denied),
        ("RMD", "550 Remove directory operation failed.", FullDir, NotEmpty),
        ("RMD", "550 Remove directory operation failed.", File, NotDir),
        ("RMD", "550 Remove directory operation failed.", Link, NotDir),
        ("RMD", "550 Remove directory operation failed.", Absent, NotFound),
        ("RMD", "550 Remove directory operation failed.", Dir, Denied),
        ("DELE", "550 Delete operation failed.", Dir, IsDir),
        ("DELE", "550 Delete operation failed.", Absent, NotFound),
        ("DELE", "550 Delete operation failed.", File, Denied),
        ("RNFR", "550 RNFR command failed.", Absent, NotFound),
        ("RNFR", "550 RNFR command failed.", File, Denied),
        ("SITE CHMOD", "550 SITE CHMOD command failed.", File, Denied),
        ("SITE CHMOD", "550 SITE CHMOD command failed.", Absent, NotFound),
        (MDTM_SET, "550 Could not set file modification time.", Dir, Unsupported),
        (MDTM_SET, "550 Could not set file modification time.", Absent, NotFound),
    ]);
    check_told(&[
        ("RETR", "550 Permission denied.", Denied),
        ("STOR", "550 Permission denied.", Denied),
        ("RETR", "426 Failure writing network stream.", Unreachable),
        ("RNTO", "503 RNFR required first.", Protocol),
        ("STOR", "451 Failure writing to local file.", NoSpace),
        ("MLSD", "500 Unknown command.", Unsupported),
        ("SITE CHMOD", "500 Unknown SITE command.", Unsupported),
        ("CWD", "500 Input line too long.", NameTooLong),
        ("PORT", "500 Illegal PORT command.", Denied),
        ("RETR", "421 Timeout.", Unreachable),
        ("RETR", "500 OOPS: vsf_sysutil_recv_peek", Protocol),
        ("RETR", "522 Data connections must be encrypted.", TlsRequired),
        ("RETR", "522 SSL connection failed: session reuse required", Protocol),
    ]);
}

#[test]
fn proftpd_says_what_the_c_library_says() {
    check_told(&[
        ("RETR", "550 x: No such file or directory", NotFound),
        ("RETR", "550 f: Permission denied", Denied),
        ("RETR", "550 f/x: Not a directory", NotDir),
        ("MLSD", "550 'f' is not a directory", NotDir),
        ("LIST", "450 x: No such file or directory", NotFound),
        ("STOR", "550 x/y: No such file or directory", NotFound),
        ("STOR", "550 f: Overwrite permission denied", Denied),
        ("STOR", "451 f: Append/Restart not permitted, try again", Unsupported),
        ("STOR", "452 Transfer aborted. No space left on device", NoSpace),
        ("STOR", "552 Transfer aborted: quota limit reached", Quota),
        ("MKD", "550 d: File exists", Exists),
        ("RMD", "550 d: Directory not empty", NotEmpty),
        ("RMD", "550 f: Not a directory", NotDir),
        ("DELE", "550 d: Is a directory", IsDir),
        ("RNFR", "550 x: No such file or directory", NotFound),
        ("RNTO", "550 f: Rename permission denied", Denied),
        ("RNTO", "550 f: Not a directory", NotDir),
        ("RNTO", "550 d: Directory not empty", NotEmpty),
        ("RNTO", "550 d/e: Invalid argument", Invalid),
        ("RNTO", "550 /: Device or resource busy", Busy),
        ("RNTO", "503 Bad sequence of commands", Protocol),
        ("MFMT", "501 f: Operation not permitted", NotPermitted),
        ("MFMT", "501 19690101000000: Bad time", Invalid),
        ("MFMT", "550 x: No such file or directory", NotFound),
        ("SITE CHMOD", "550 CHMOD 644 f: Operation not permitted", NotPermitted),
        ("DELE", "550 f: Read-only file system", ReadOnly),
        ("STOR", "550 nnn: File name too long", NameTooLong),
        ("RETR", "550 x: Forbidden command argument", NameInvalid),
        ("RETR", "554 REST: invalid f argument", Changed),
        ("REST", "501 REST not compatible with server configuration", Unsupported),
        ("RETR", "425 Unable to build data connection: Connection refused", Unreachable),
        ("RETR", "522 SSL/TLS required on the data channel", TlsRequired),
        ("AUTH", "534 Unwilling to accept security parameters", Unsupported),
    ]);
    check_asked(&[
        // A directory, or a link that leads nowhere, which its listings leave out.
        ("RETR", "550 d: Not a regular file", Dir, IsDir),
        ("RETR", "550 x: Not a regular file", Absent, NotFound),
        ("STOR", "550 d: Not a regular file", Dir, IsDir),
        ("STOR", "550 x: Not a regular file", Absent, Loop),
        ("STOR", "550 x: Not a regular file", Found::Other, Denied),
        ("SIZE", "550 d: not a regular file", Dir, IsDir),
        ("MDTM", "550 d: not a plain file", Dir, IsDir),
        ("MLST", "550 'x' cannot be listed", Absent, NotFound),
        ("MLST", "550 'x' cannot be listed", Found::Unlisted, NotFound),
        ("MLST", "550 'x' cannot be listed", File, Denied),
        // The time is taken for a name.
        (MDTM_SET, "550 20110102030405 f: No such file or directory", File, Unsupported),
        (MDTM_SET, "550 20110102030405 x: No such file or directory", Absent, NotFound),
        // May be a full disk.
        ("STOR", "451 Transfer aborted. Input/output error", Found::Full, NoSpace),
        ("STOR", "451 Transfer aborted. Input/output error", Unknown, Protocol),
        ("STOR", "426 Transfer aborted. Data connection closed", Unknown, Unreachable),
    ]);
}

#[test]
fn pure_ftpd_says_it_in_a_sentence_or_not_at_all() {
    check_told(&[
        ("RETR", "550 Can't open x: No such file or directory", NotFound),
        ("RETR", "550 Can't open f: Permission denied", Denied),
        ("RETR", "550 Can't open f/x: Not a directory", NotDir),
        ("CWD", "550 Can't change directory to x: No such file or directory", NotFound),
        ("STOR", "553 Can't open that file: No such file or directory", NotFound),
        ("STOR", "553 Can't open that file: Is a directory", IsDir),
        ("STOR", "553 Can't open that file: Permission denied", Denied),
        ("STOR", "553 Can't open that file: Too many levels of symbolic links", Loop),
        ("STOR", "451-Error during write to file\r\n451 Transfer aborted", NoSpace),
        ("STOR", "451-Transfer aborted (quota)\r\n451 Transfer aborted", Quota),
        ("STOR", "553 Prohibited file name: b\\s", NameInvalid),
        ("STOR", "451 File name too long", NameTooLong),
        ("ALLO", "552 Disk full - please upload later", NoSpace),
        ("MKD", "550 Can't create directory: File exists", Exists),
        ("MKD", "550 Can't create directory: No such file or directory", NotFound),
        ("RMD", "550 Can't remove directory: Directory not empty", NotEmpty),
        ("DELE", "550 Could not delete x: No such file or directory", NotFound),
        ("RNTO", "451 Rename/move failure: Not a directory", NotDir),
        ("RNTO", "451 Rename/move failure: Directory not empty", NotEmpty),
        ("RNTO", "451 Rename/move failure: Invalid argument", Invalid),
        ("RNTO", "451 Rename/move failure: No such file or directory", NotFound),
        ("RNTO", "451 Rename/move failure: Permission denied", Denied),
        ("RNTO", "451 Rename/move failure: Invalid cross-device link", CrossDevice),
        ("RNTO", "451 Rename/move failure: Device or resource busy", Busy),
        ("RNTO", "503 Need RNFR before RNTO", Protocol),
        ("MFMT", "550 utime(f): Operation not permitted", NotPermitted),
        ("SITE CHMOD", "550 Could not change perms on f: Operation not permitted", NotPermitted),
        ("SITE CHMOD", "550 Could not change perms on f: Read-only file system", ReadOnly),
        ("MLST", "421 Path too long", NameTooLong),
        ("PASV", "425 You cannot use PASV on IPv6 connections. Use EPSV instead.", Unreachable),
        ("PORT", "500 I won't open a connection to 10.0.0.1 (only to 10.0.0.2)", Denied),
        ("RETR", "521 Data connection cannot be opened with this PROT setting.", Protocol),
    ]);
    check_asked(&[
        ("RETR", "550 I can only retrieve regular files", Dir, IsDir),
        ("MLSD", "550 Can't check for file existence", Absent, NotFound),
        ("MLSD", "550 Can't check for file existence", File, NotDir),
        ("MLSD", "550 Can't check for file existence", Dir, Denied),
        ("SIZE", "550 Can't check for file existence", Absent, NotFound),
        ("DELE", "550 Could not delete d: Invalid argument", Dir, IsDir),
        ("DELE", "550 Could not delete f: Operation not permitted", File, NotPermitted),
        ("DELE", "550 Could not delete d: Operation not permitted", Dir, IsDir),
        ("RNFR", "550 Sorry, but that file doesn't exist", Absent, NotFound),
        ("RNFR", "550 Rename/move failure", File, Denied),
        ("SITE CHMOD", "550 Could not change perms on f", File, Denied),
    ]);
}

#[test]
fn pyftpdlib_says_what_the_c_library_says_without_a_name() {
    check_told(&[
        ("MLST", "550 No such file or directory.", NotFound),
        ("MLST", "550 Too many levels of symbolic links.", Loop),
        ("RETR", "550 Is a directory.", IsDir),
        ("STOR", "550 Is a directory.", IsDir),
        ("STOR", "550 No such file or directory.", NotFound),
        ("MKD", "550 File exists.", Exists),
        ("RMD", "550 Directory not empty.", NotEmpty),
        ("DELE", "550 Is a directory.", IsDir),
        ("MKD", "550 Not enough privileges.", NotPermitted),
        ("RNTO", "550 Invalid cross-device link.", CrossDevice),
        ("STOR", "550 Read-only file system.", ReadOnly),
        ("STOR", "550 File name too long.", NameTooLong),
        ("MLSD", "550 Permission denied.", Denied),
        ("SITE CHMOD", "501 Invalid SITE CHMOD format.", Invalid),
        ("EPSV", "522 Network protocol not supported (use 1).", Unsupported),
        ("EPSV", "550 SSL/TLS required on the data channel.", TlsRequired),
        ("RETR", "554 REST position (13) > file size (12)", Changed),
        ("APPE", "450 Can't APPE while REST request is pending.", Busy),
        ("RETR", "425 Rejected data connection from foreign address 10.0.0.1", Unreachable),
    ]);
    check_asked(&[
        ("MLSD", "501 No such directory.", Absent, NotFound),
        ("MLSD", "501 No such directory.", File, NotDir),
        ("SIZE", "550 /x is not retrievable.", Absent, NotFound),
        ("MFMT", "550 /d is not retrievable", Dir, Unsupported),
        ("MFMT", "550 /x is not retrievable", Absent, NotFound),
        ("DELE", "550 Not enough privileges.", File, NotPermitted),
        ("RNTO", "550 Can't rename home directory.", Unknown, Denied),
        ("STOR", "426 None; transfer aborted.", Found::Full, NoSpace),
    ]);
}

#[test]
fn inetutils() {
    check_told(&[
        ("RETR", "550 x: No such file or directory.", NotFound),
        ("STOR", "553 x/y: No such file or directory.", NotFound),
        ("STOR", "553 d: Is a directory.", IsDir),
        ("STOR", "553 f: Permission denied.", Denied),
        ("STOR", "452 Error writing file: No space left on device.", NoSpace),
        ("STOR", "452 Error writing file: Disk quota exceeded.", Quota),
        ("STOR", "452 Error writing file: File too large.", TooLarge),
        ("STOR", "553 f: Text file busy.", TextBusy),
        ("MKD", "550 d: File exists.", Exists),
        ("RMD", "550 d: Directory not empty.", NotEmpty),
        ("DELE", "550 l: Not a directory.", NotDir),
        ("RNTO", "550 rename: Not a directory.", NotDir),
        ("RNTO", "550 rename: Directory not empty.", NotEmpty),
        ("RNTO", "550 rename: Invalid argument.", Invalid),
        ("RNTO", "550 rename: Invalid cross-device link.", CrossDevice),
        ("SITE CHMOD", "501 CHMOD: Mode value must be between 0 and 0777", Invalid),
        ("FEAT", "530 Please login with USER and PASS.", Denied),
    ]);
    check_asked(&[("RETR", "550 d: not a plain file.", Dir, IsDir)]);
}

#[test]
fn servers_of_windows() {
    check_told(&[
        // IIS.
        ("RETR", "550 The system cannot find the file specified. ", NotFound),
        ("STOR", "550 The system cannot find the path specified. ", NotFound),
        ("CWD", "550 The directory name is invalid. ", NotDir),
        ("MKD", "550 Cannot create a file when that file already exists. ", Exists),
        ("RNTO", "550 Cannot create a file when that file already exists. ", Exists),
        ("RMD", "550 The directory is not empty. ", NotEmpty),
        ("STOR", "550 The filename, directory name, or volume label syntax is incorrect. ", NameInvalid),
        ("STOR", "550 The filename or extension is too long. ", NameTooLong),
        ("DELE", "550 The process cannot access the file because it is being used by another process. ", Busy),
        ("STOR", "552 There is not enough space on the disk. ", NoSpace),
        ("STOR", "550 The media is write protected. ", ReadOnly),
        ("RNTO", "550 The system cannot move the file to a different disk drive. ", CrossDevice),
        ("RETR", "550 Das System kann die angegebene Datei nicht finden. ", NotFound),
        // FileZilla Server 0.9.
        ("MKD", "550 Directory already exists", Exists),
        ("RMD", "550 Directory not empty.", NotEmpty),
        ("STOR", "550 Filename invalid", NameInvalid),
        ("MKD", "521 \"/d\" directory already exists", Exists),
    ]);
    check_asked(&[
        ("RETR", "550 Access is denied. ", Dir, IsDir),
        ("DELE", "550 Access is denied. ", Dir, IsDir),
        ("STOR", "550 Access is denied. ", Dir, IsDir),
        ("STOR", "550 Access is denied. ", Absent, Denied),
        ("RETR", "550 File not found", Dir, IsDir),
        ("CWD", "550 CWD failed. \"/x\": directory not found.", File, NotDir),
        ("RMD", "550 Directory not empty or no permission", FullDir, NotEmpty),
        ("RMD", "550 Directory not empty or no permission", Dir, Denied),
        ("STOR", "553 Requested action not taken. File name not allowed", Dir, IsDir),
    ]);
}

#[test]
fn other_tongues() {
    check_told(&[
        ("RETR", "550 x: Datei oder Verzeichnis nicht gefunden", NotFound),
        ("RETR", "550 d: Ist ein Verzeichnis", IsDir),
        ("CWD", "550 f: Ist kein Verzeichnis", NotDir),
        ("RMD", "550 d: Das Verzeichnis ist nicht leer", NotEmpty),
        ("CWD", "550 f: N'est pas un dossier", NotDir),
        ("RETR", "550 d: est un dossier", IsDir),
        ("RETR", "550 x: Aucun fichier ou dossier de ce type", NotFound),
    ]);
}

#[test]
fn by_the_code_alone() {
    check_told(&[
        ("RETR", "425 Sorry", Unreachable),
        ("RETR", "426 Sorry", Unreachable),
        ("LIST", "450 Sorry", Busy),
        ("RETR", "451 Sorry", Protocol),
        ("STOR", "452 Sorry", NoSpace),
        ("STOR", "552 Sorry", NoSpace),
        ("STOR", "552 Over quota", Quota),
        ("RETR", "501 Sorry", NameInvalid),
        ("REST", "501 Sorry", Unsupported),
        ("TYPE", "504 Sorry", Unsupported),
        ("RETR", "503 Sorry", Protocol),
        ("RETR", "521 Sorry", Protocol),
        ("RETR", "530 Sorry", Denied),
        ("RETR", "530 Too many users", Busy),
        ("STOR", "532 Sorry", Denied),
        ("STOR", "554 Sorry", Changed),
        ("RETR", "226 Sorry", Protocol),
        ("FEAT", "550 Sorry", Unsupported),
        ("PASS", "332 Need account", LoginRefused),
        (GREETING, "120 Wait", Protocol),
    ]);
}

#[test]
fn renames_are_told_by_what_moves_and_where_to() {
    let path = |text: &str| RemotePath::new(text.as_bytes()).expect("a path");
    let settle = |line: &str, from: &str, source, to: &str, target| match classify("RNTO", &reply(line), b"") {
        Verdict::Ask(question) => {
            assert_eq!(question.look, Look::Target);
            question.settle_rename(&path(from), source, &path(to), target)
        }
        Verdict::Sure(kind) => kind,
    };
    let vsftpd = "550 Rename failed.";
    assert_eq!(settle(vsftpd, "/a", File, "/d", Dir), IsDir);
    assert_eq!(settle(vsftpd, "/a", Dir, "/f", File), NotDir);
    assert_eq!(settle(vsftpd, "/a", Dir, "/d", FullDir), NotEmpty);
    assert_eq!(settle(vsftpd, "/a", Dir, "/a/b", Absent), Invalid);
    assert_eq!(settle(vsftpd, "/a", Dir, "/ab", Absent), Denied);
    assert_eq!(settle(vsftpd, "/a", File, "/x/y", ParentAbsent), NotFound);
    assert_eq!(settle(vsftpd, "/a", File, "/f/y", ParentNotDir), NotDir);
    assert_eq!(settle(vsftpd, "/a", File, "/b", Absent), Denied);
    assert_eq!(settle("451 Rename/move failure: Is a directory", "/a", File, "/d", Dir), IsDir);
    assert_eq!(settle("451 Rename/move failure", "/a", File, "/d", Dir), IsDir);
    // ProFTPD of a file over a directory, and of a directory that would have to be copied.
    assert_eq!(settle("550 d: Operation not permitted", "/a", File, "/d", Dir), IsDir);
    assert_eq!(settle("550 f: Operation not permitted", "/a", File, "/f", File), NotPermitted);
    assert_eq!(settle("550 Rename full/dir: Is a directory", "/a", Dir, "/full/dir", Absent), CrossDevice);
}

#[test]
fn words_that_contradict_each_other_decide_nothing() {
    for line in ["550 No such file or permission denied", "550 Directory not empty or not a directory"] {
        assert!(matches!(classify("RETR", &reply(line), b"/x"), Verdict::Ask(_)), "{line}");
    }
}

#[test]
fn listings_that_lack_names() {
    assert!(listing_truncated(&reply("226 Output truncated to 10000 matches")));
    assert!(listing_truncated(&reply("226-Sorry, we were unable to read [d]\r\n226 0 matches total")));
    assert!(!listing_truncated(&reply("226 64 matches total")));
}

#[test]
fn errors_carry_the_words_and_the_retry() {
    let error = refusal("RETR", &reply("550 x: No such file"), NotFound);
    assert_eq!(error.to_string(), "RETR: no such file or directory (server: 550 x: No such file)");
    assert_eq!(error.retry, Retry::Never);
    for (verb, line, want) in [
        ("RETR", "421 Timeout.", Retry::IfReused),
        ("RETR", "421 Too many connections", Retry::Safe),
        ("RETR", "425 No data connection", Retry::Safe),
        ("RETR", "451 Local error", Retry::Safe),
        // It may have been done.
        ("DELE", "451 Local error", Retry::Never),
        ("STOR", "426 Failure reading network stream.", Retry::Never),
        ("STOR", "421 Timeout.", Retry::IfReused),
    ] {
        assert_eq!(refusal(verb, &reply(line), Unreachable).retry, want, "{verb} {line}");
    }
}

proptest! {
    #[test]
    fn any_refusal_has_a_verdict(
        code in 100u16..660,
        text in ".{0,60}",
        path in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let bytes = format!("{code} {}\r\n", text.replace(['\r', '\n'], " "));
        let (reply, _) = parse_reply(bytes.as_bytes()).expect("a reply").expect("whole");
        let verbs = [GREETING, "PASS", "ACCT", "EPSV", "PORT", "RETR", "MLSD", "STOR", "RNTO", "RMD", MDTM_SET, "TYPE", "?"];
        for verb in verbs {
            if let Verdict::Ask(question) = classify(verb, &reply, &path) {
                let _ = question.settle(Unknown);
            }
            let _ = knows(verb, &reply);
        }
        let _ = refusal("RETR", &reply, Protocol);
    }
}
