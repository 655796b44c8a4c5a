//! The texts of the replies, by dialect.

use super::fault::End;
use super::personality::Dialect;
use super::tree::Why;

/// A text with a name in it, which need not be text.
pub(super) fn naming(name: &[u8], text: impl FnOnce(&str) -> String) -> Vec<u8> {
    // NUL never reaches us in a command.
    let text = text("\0");
    text.as_bytes().split(|&byte| byte == 0).collect::<Vec<_>>().join(name)
}

/// The refusal of a command that names a path.
pub(super) fn refusal(dialect: Dialect, verb: &str, arg: &str, why: Why) -> String {
    let cause = cause(why);
    match dialect {
        Dialect::Vsftpd => match verb {
            "CWD" | "CDUP" => "550 Failed to change directory.".to_owned(),
            "SIZE" => "550 Could not get file size.".to_owned(),
            "MDTM" => "550 Could not get file modification time.".to_owned(),
            "RETR" => "550 Failed to open file.".to_owned(),
            _ => "550 Permission denied.".to_owned(),
        },
        Dialect::Proftpd => match (verb, why) {
            ("MLST", _) => format!("550 '{arg}' cannot be listed"),
            ("MLSD", Why::NotDir) => format!("550 '{arg}' is not a directory"),
            ("RETR", Why::IsDir) => format!("550 {arg}: Not a regular file"),
            ("SIZE", Why::IsDir) => format!("550 {arg}: not a regular file"),
            ("MDTM", Why::IsDir) => format!("550 {arg}: not a plain file"),
            _ => format!("550 {arg}: {cause}"),
        },
        Dialect::Pureftpd => match (verb, why) {
            ("RETR" | "SIZE", Why::IsDir) => "550 I can only retrieve regular files".to_owned(),
            ("MLST" | "MLSD" | "SIZE" | "MDTM", _) => "550 Can't check for file existence".to_owned(),
            ("CWD" | "CDUP", _) => format!("550 Can't change directory to {arg}: {cause}"),
            _ => format!("550 Can't open {arg}: {cause}"),
        },
        Dialect::Pyftpdlib => match (verb, why) {
            ("MLSD", Why::Missing | Why::NotDir) => "501 No such directory.".to_owned(),
            ("SIZE" | "MDTM", _) => format!("550 {arg} is not retrievable."),
            _ => format!("550 {cause}."),
        },
        Dialect::Iis => match why {
            Why::Missing | Why::Loop => "550 The system cannot find the file specified. ".to_owned(),
            Why::NotDir => "550 The directory name is invalid. ".to_owned(),
            _ => "550 Access is denied. ".to_owned(),
        },
        Dialect::Ancient => match why {
            Why::IsDir => format!("550 {arg}: not a plain file."),
            _ => format!("550 {arg}: {cause}."),
        },
    }
}

/// The libc text.
pub(super) fn cause(why: Why) -> &'static str {
    match why {
        Why::Missing => "No such file or directory",
        Why::NotDir => "Not a directory",
        Why::IsDir => "Is a directory",
        Why::Denied => "Permission denied",
        Why::Loop => "Too many levels of symbolic links",
        Why::Exists => "File exists",
        Why::NotEmpty => "Directory not empty",
        Why::Invalid => "Invalid argument",
        Why::TooLong => "File name too long",
    }
}

/// The answer to a verb that the server does not know.
pub(super) fn unknown(dialect: Dialect, verb: &str) -> String {
    match dialect {
        Dialect::Vsftpd => "500 Unknown command.".to_owned(),
        Dialect::Proftpd => format!("500 {verb} not understood"),
        Dialect::Pureftpd => "500 Unknown command".to_owned(),
        Dialect::Pyftpdlib => format!("500 Command \"{verb}\" not understood."),
        Dialect::Iis => "500 Command not understood.".to_owned(),
        Dialect::Ancient => format!("500 '{verb}': command not recognized"),
    }
}

/// What is said when the client closes the data connection before the end. Pure-FTPd's is final although it is a 150.
pub(super) fn early_end(dialect: Dialect, bytes: u64) -> String {
    match dialect {
        Dialect::Vsftpd | Dialect::Iis => "426 Failure writing network stream.".to_owned(),
        Dialect::Proftpd => "426 Transfer aborted. Data connection closed".to_owned(),
        Dialect::Pureftpd => "150 0.101 seconds (measured here), 37.30 Mbytes per second".to_owned(),
        Dialect::Pyftpdlib => format!("426 Transfer aborted; {bytes} bytes transmitted."),
        Dialect::Ancient => "426 Data connection: Broken pipe.".to_owned(),
    }
}

/// The farewell to an idle connection.
pub(super) fn idle(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Vsftpd | Dialect::Iis => "421 Timeout.",
        Dialect::Proftpd => "421 Idle timeout (5 seconds): closing control connection",
        Dialect::Pureftpd => "421 Timeout - try typing a little faster next time",
        Dialect::Pyftpdlib => "421 Control connection timed out.",
        Dialect::Ancient => "421 Timeout (900 seconds): closing control connection.",
    }
}

/// Too many clients, at the greeting.
pub(super) fn crowded(dialect: Dialect, max: usize) -> String {
    match dialect {
        Dialect::Pureftpd => format!("421 {max} users (the maximum) are already logged in, sorry"),
        Dialect::Pyftpdlib => "421 Too many connections. Service temporarily unavailable.".to_owned(),
        _ => "421 There are too many connected users, please try later.".to_owned(),
    }
}

/// Too many clients, at PASS.
pub(super) fn crowded_login(max: usize) -> String {
    format!("530 Sorry, the maximum number of allowed clients ({max}) are already connected.")
}

/// A clean change of directory.
pub(super) fn changed(dialect: Dialect, cwd: &str) -> String {
    match dialect {
        Dialect::Vsftpd => "250 Directory successfully changed.".to_owned(),
        Dialect::Pureftpd => format!("250 OK. Current directory is /{cwd}"),
        Dialect::Pyftpdlib => format!("250 \"/{cwd}\" is the current directory."),
        _ => "250 CWD command successful".to_owned(),
    }
}

/// RETR, LIST or MLSD without a data connection.
pub(super) fn no_data(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Vsftpd | Dialect::Iis => "425 Use PORT or PASV first.",
        Dialect::Pureftpd => "425 No data connection",
        _ => "425 Unable to build data connection: Connection refused",
    }
}

/// REST beyond the end of the file, at RETR.
pub(super) fn beyond_end(dialect: Dialect, arg: &str, offset: u64, size: u64) -> String {
    match dialect {
        Dialect::Pureftpd => {
            format!("554-Restart offset {offset} is too large for file size {size}.\n554 Restart offset reset to 0")
        }
        Dialect::Pyftpdlib => format!("554 REST position ({offset}) > file size ({size})"),
        _ => format!("554 REST: invalid {arg} argument"),
    }
}

/// AUTH where TLS is off.
pub(super) fn no_tls(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Vsftpd | Dialect::Ancient => "500 Unknown command.",
        Dialect::Proftpd => "500 AUTH not understood",
        Dialect::Pureftpd => "500 This security scheme is not implemented",
        Dialect::Pyftpdlib => "500 Command \"AUTH\" not understood.",
        Dialect::Iis => "534 Local policy on server does not allow TLS secure connections.",
    }
}

/// AUTH where TLS is on.
pub(super) fn secure(dialect: Dialect, scheme: &str) -> String {
    match dialect {
        Dialect::Vsftpd | Dialect::Ancient => "234 Proceed with negotiation.".to_owned(),
        Dialect::Proftpd | Dialect::Pyftpdlib => format!("234 AUTH {scheme} successful"),
        Dialect::Pureftpd => format!("234 AUTH {scheme} OK."),
        Dialect::Iis => format!("234 AUTH command ok. Expecting {scheme} Negotiation."),
    }
}

/// USER where TLS must come first, and whether the server hangs up.
pub(super) fn tls_first(dialect: Dialect) -> (&'static str, End) {
    match dialect {
        Dialect::Vsftpd => ("530 Non-anonymous sessions must use encryption.", End::Fin),
        Dialect::Pureftpd => (
            "421-Sorry, cleartext sessions and weak ciphers are not accepted on this server.\n\
             421 Please reconnect using TLS security mechanisms.",
            End::Fin,
        ),
        Dialect::Iis => ("534 Policy requires SSL. ", End::Keep),
        Dialect::Proftpd | Dialect::Pyftpdlib | Dialect::Ancient => {
            ("550 SSL/TLS required on the control channel", End::Keep)
        }
    }
}

/// A transfer where PROT P must come first.
pub(super) fn data_in_clear(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Vsftpd => "522 Data connections must be encrypted.",
        Dialect::Pureftpd => "521 Data connection cannot be opened with this PROT setting.",
        Dialect::Iis => "534 Policy requires SSL. ",
        Dialect::Proftpd | Dialect::Pyftpdlib | Dialect::Ancient => "522 SSL/TLS required on the data channel",
    }
}
