//! The texts of the replies to commands that write, by dialect.

use super::personality::Dialect;
use super::tree::Why;
use super::words;

/// The refusal of a command that would change a path.
pub(super) fn refusal(dialect: Dialect, verb: &str, arg: &str, why: Why) -> String {
    let cause = words::cause(why);
    let stores = matches!(verb, "STOR" | "APPE");
    match dialect {
        Dialect::Vsftpd => match verb {
            "STOR" | "APPE" => "553 Could not create file.",
            "MKD" | "XMKD" => "550 Create directory operation failed.",
            "RMD" | "XRMD" => "550 Remove directory operation failed.",
            "DELE" => "550 Delete operation failed.",
            "RNFR" => "550 RNFR command failed.",
            "RNTO" => "550 Rename failed.",
            "MDTM" => "550 Could not set file modification time.",
            "SITE CHMOD" => "550 SITE CHMOD command failed.",
            _ => "550 Permission denied.",
        }
        .to_owned(),
        Dialect::Proftpd => match (verb, why) {
            ("STOR" | "APPE", Why::IsDir | Why::Loop) => format!("550 {arg}: Not a regular file"),
            ("RNTO", Why::IsDir) => format!("550 {arg}: Operation not permitted"),
            ("MFMT", Why::Denied) => format!("501 {arg}: {cause}"),
            ("SITE CHMOD", Why::Denied) => format!("550 CHMOD {arg}: {cause}"),
            _ => format!("550 {arg}: {cause}"),
        },
        Dialect::Pureftpd => match verb {
            "STOR" | "APPE" => format!("553 Can't open that file: {cause}"),
            "MKD" | "XMKD" => format!("550 Can't create directory: {cause}"),
            "RMD" | "XRMD" => format!("550 Can't remove directory: {cause}"),
            "DELE" if why == Why::IsDir => format!("550 Could not delete {arg}: Invalid argument"),
            "DELE" => format!("550 Could not delete {arg}: {cause}"),
            "RNFR" => "550 Sorry, but that file doesn't exist".to_owned(),
            "RNTO" => format!("451 Rename/move failure: {cause}"),
            "MFMT" | "SITE UTIME" => format!("550 utime({arg}): {cause}"),
            "SITE CHMOD" => format!("550 Could not change perms on {arg}: {cause}"),
            _ => format!("550 {arg}: {cause}"),
        },
        Dialect::Pyftpdlib => match (verb, why) {
            ("MFMT", Why::Missing | Why::IsDir) => format!("550 /{arg} is not retrievable"),
            _ => format!("550 {cause}."),
        },
        Dialect::Iis => match why {
            Why::Missing | Why::Loop => "550 The system cannot find the file specified. ".to_owned(),
            Why::NotDir => "550 The directory name is invalid. ".to_owned(),
            Why::Exists => "550 Cannot create a file when that file already exists. ".to_owned(),
            Why::NotEmpty => "550 The directory is not empty. ".to_owned(),
            Why::Invalid => "550 The parameter is incorrect. ".to_owned(),
            Why::TooLong => "550 The filename or extension is too long. ".to_owned(),
            Why::IsDir | Why::Denied => "550 Access is denied. ".to_owned(),
        },
        Dialect::Ancient if stores => format!("553 {arg}: {cause}."),
        Dialect::Ancient if verb == "RNTO" => format!("550 rename: {cause}."),
        Dialect::Ancient => format!("550 {arg}: {cause}."),
    }
}

/// RNTO onto a name that exists, where that is refused.
pub(super) fn rename_onto(dialect: Dialect, arg: &str) -> String {
    match dialect {
        Dialect::Proftpd => format!("550 {arg}: Rename permission denied"),
        _ => refusal(dialect, "RNTO", arg, Why::Exists),
    }
}

/// STOR over a file, where that is refused.
pub(super) fn overwrite(dialect: Dialect, arg: &str) -> String {
    match dialect {
        Dialect::Proftpd => format!("550 {arg}: Overwrite permission denied"),
        _ => refusal(dialect, "STOR", arg, Why::Denied),
    }
}

/// A name that the server does not want.
pub(super) fn prohibited(dialect: Dialect, arg: &str) -> String {
    match dialect {
        Dialect::Proftpd => format!("550 {arg}: Forbidden command argument"),
        _ => format!("553 Prohibited file name: {arg}"),
    }
}

/// The preliminary reply to an upload.
pub(super) fn opening(dialect: Dialect, arg: &str) -> String {
    match dialect {
        Dialect::Vsftpd => "150 Ok to send data.".to_owned(),
        Dialect::Pureftpd => "150 Accepted data connection".to_owned(),
        Dialect::Pyftpdlib => "150 File status okay. About to open data connection.".to_owned(),
        Dialect::Iis => "125 Data connection already open; Transfer starting.".to_owned(),
        Dialect::Proftpd | Dialect::Ancient => format!("150 Opening BINARY mode data connection for {arg}"),
    }
}

/// All is stored.
pub(super) fn stored(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Pureftpd => {
            "226-File successfully transferred\n226 0.001 seconds (measured here), 10.00 Mbytes per second"
        }
        Dialect::Proftpd => "226 Transfer complete",
        _ => "226 Transfer complete.",
    }
}

/// The client has reset the data connection. pyftpdlib takes that for the end.
pub(super) fn broken(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Vsftpd | Dialect::Iis => "426 Failure reading network stream.",
        Dialect::Proftpd => "426 Transfer aborted. Data connection closed",
        Dialect::Pureftpd => {
            "451-Error during read from data connection\n451-Transfer aborted\n451 0.001 seconds (measured here)"
        }
        Dialect::Pyftpdlib => "226 Transfer complete.",
        Dialect::Ancient => "426 Data Connection: Connection reset by peer.",
    }
}

/// The disk is full.
pub(super) fn full(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Vsftpd => "451 Failure writing to local file.",
        Dialect::Proftpd => "452 Transfer aborted. No space left on device",
        Dialect::Pureftpd => "451-Error during write to file\n451 Transfer aborted",
        Dialect::Pyftpdlib => "426 None; transfer aborted.",
        Dialect::Iis => "552 There is not enough space on the disk. ",
        Dialect::Ancient => "452 Error writing file: No space left on device.",
    }
}

/// MKD has made a directory.
pub(super) fn made(dialect: Dialect, arg: &str, path: &str) -> String {
    match dialect {
        Dialect::Vsftpd => format!("257 \"/{path}\" created"),
        Dialect::Proftpd => format!("257 \"/{path}\" - Directory successfully created"),
        Dialect::Pureftpd => format!("257 \"{arg}\" : The directory was successfully created"),
        Dialect::Pyftpdlib => format!("257 \"/{path}\" directory created."),
        Dialect::Iis => format!("257 \"{arg}\" directory created."),
        Dialect::Ancient => format!("257 \"/{path}\" new directory created."),
    }
}

/// DELE, RMD or RNTO has been done.
pub(super) fn done(dialect: Dialect, verb: &str) -> String {
    match (dialect, verb) {
        (Dialect::Vsftpd, "DELE") => "250 Delete operation successful.".to_owned(),
        (Dialect::Vsftpd, "RNTO") => "250 Rename successful.".to_owned(),
        (Dialect::Vsftpd, _) => "250 Remove directory operation successful.".to_owned(),
        (Dialect::Pureftpd, "DELE") => "250 Deleted".to_owned(),
        (Dialect::Pureftpd, "RNTO") => "250 File successfully renamed or moved".to_owned(),
        (Dialect::Pureftpd, _) => "250 The directory was successfully removed".to_owned(),
        (Dialect::Pyftpdlib, "DELE") => "250 File removed.".to_owned(),
        (Dialect::Pyftpdlib, "RNTO") => "250 Renaming ok.".to_owned(),
        (Dialect::Pyftpdlib, _) => "250 Directory removed.".to_owned(),
        (Dialect::Proftpd, "RNTO") => "250 Rename successful".to_owned(),
        (_, verb) => format!("250 {verb} command successful"),
    }
}

/// RNFR has found something.
pub(super) fn rename_from(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Vsftpd => "350 Ready for RNTO.",
        Dialect::Pureftpd => "350 RNFR accepted - file exists, ready for destination",
        Dialect::Pyftpdlib => "350 Ready for destination name.",
        _ => "350 File or directory exists, ready for destination name",
    }
}

/// RNTO without RNFR.
pub(super) fn rename_first(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Vsftpd => "503 RNFR required first.",
        Dialect::Pureftpd => "503 Need RNFR before RNTO",
        Dialect::Pyftpdlib => "503 Bad sequence of commands: use RNFR first.",
        _ => "503 Bad sequence of commands",
    }
}

/// A time has been set.
pub(super) fn timed(dialect: Dialect, verb: &str, stamp: &str, arg: &str, path: &str) -> String {
    match (dialect, verb) {
        (_, "MDTM") => "213 File modification time set.".to_owned(),
        (Dialect::Pureftpd, _) => "213 UTIME OK".to_owned(),
        (_, "SITE UTIME") => "200 SITE UTIME command successful".to_owned(),
        (Dialect::Pyftpdlib, _) => format!("213 Modify={stamp}; /{path}."),
        _ => format!("213 Modify={stamp}; {arg}"),
    }
}

/// A mode has been set.
pub(super) fn chmodded(dialect: Dialect, arg: &str) -> String {
    match dialect {
        Dialect::Vsftpd => "200 SITE CHMOD command ok.".to_owned(),
        Dialect::Pureftpd => format!("200 Permissions changed on {arg}"),
        Dialect::Pyftpdlib => "200 SITE CHMOD successful.".to_owned(),
        Dialect::Ancient => "200 CHMOD command successful.".to_owned(),
        Dialect::Proftpd | Dialect::Iis => "200 SITE CHMOD command successful".to_owned(),
    }
}

/// A SITE command that the server does not have.
pub(super) fn unknown_site(dialect: Dialect, verb: &str) -> String {
    match dialect {
        Dialect::Vsftpd => "500 Unknown SITE command.".to_owned(),
        Dialect::Pureftpd => format!("500 {verb} is an unknown extension"),
        Dialect::Proftpd => format!("500 '{verb}' not understood"),
        _ => words::unknown(dialect, verb),
    }
}

/// ALLO that allocates nothing.
pub(super) fn allo_ignored(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Vsftpd => "202 ALLO command ignored.",
        Dialect::Pureftpd => "200 A L'HUILE",
        _ => "202 No storage allocation necessary",
    }
}
