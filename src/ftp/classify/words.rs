//! The words of refusals: of the C library, of Windows, and of servers.
//!
//! Servers repeat the path in their replies, so a phrase that occurs in the path itself proves nothing (lftp's
//! `Ftp::ServerSaid` has the same rule). Cutting the path out of the text would not do: it may be echoed shortened,
//! quoted, with control bytes replaced, or under another root, and cutting out the name `file` would break `No such
//! file`. For the same reason only letters and digits of the path count: what a server does to the others can make a
//! phrase of something that was none.

use super::super::reply::Reply;
use crate::remote::ErrorKind;

/// What the words of a reply say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    Kind(ErrorKind),
    /// Words that have more than one meaning, or contradict each other, or may be the file's name.
    Doubtful,
    Nothing,
}

/// Reads `reply`, which was about `path`.
pub(super) fn words(reply: &Reply, path: &[u8]) -> Spoken {
    let path = squeeze(path);
    let mut spoken = Spoken::Nothing;
    for (phrase, kind) in PHRASES {
        if !reply.says(phrase) {
            continue;
        }
        let here = match kind {
            Some(kind) if !holds(&path, phrase) => Spoken::Kind(*kind),
            _ => Spoken::Doubtful,
        };
        spoken = if spoken == Spoken::Nothing || spoken == here { here } else { Spoken::Doubtful };
    }
    spoken
}

/// Whether one of `phrases` is said in `reply` and cannot come from `path`.
pub(super) fn says_one_of(reply: &Reply, phrases: &[&str], path: &[u8]) -> bool {
    let path = squeeze(path);
    phrases.iter().any(|phrase| reply.says(phrase) && !holds(&path, phrase))
}

fn holds(squeezed: &[u8], phrase: &str) -> bool {
    let phrase = squeeze(phrase.as_bytes());
    squeezed.windows(phrase.len()).any(|part| part == phrase)
}

/// Letters and digits alone, in lower case.
fn squeeze(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect()
}

/// In lower case. None: they say several things, so a look must tell.
const PHRASES: &[(&str, Option<ErrorKind>)] = &[
    // The C library. Solaris and macOS share these with GNU.
    ("no such file", Some(ErrorKind::NotFound)),
    ("not a directory", Some(ErrorKind::NotDir)),
    ("is a directory", Some(ErrorKind::IsDir)),
    ("permission denied", Some(ErrorKind::Denied)),
    ("operation not permitted", Some(ErrorKind::NotPermitted)),
    ("file exists", Some(ErrorKind::Exists)),
    ("directory not empty", Some(ErrorKind::NotEmpty)),
    ("invalid argument", Some(ErrorKind::Invalid)),
    ("cross-device link", Some(ErrorKind::CrossDevice)),
    ("too many levels of symbolic", Some(ErrorKind::Loop)),
    ("read-only file system", Some(ErrorKind::ReadOnly)),
    ("read-only filesystem", Some(ErrorKind::ReadOnly)),
    ("no space left", Some(ErrorKind::NoSpace)),
    ("file too large", Some(ErrorKind::TooLarge)),
    ("file name too long", Some(ErrorKind::NameTooLong)),
    ("text file busy", Some(ErrorKind::TextBusy)),
    ("resource busy", Some(ErrorKind::Busy)),
    ("temporarily unavailable", Some(ErrorKind::Busy)),
    ("too many open files", Some(ErrorKind::Busy)),
    ("cannot allocate memory", Some(ErrorKind::Busy)),
    ("input/output error", Some(ErrorKind::Protocol)),
    ("stale file handle", Some(ErrorKind::Changed)),
    ("stale nfs file handle", Some(ErrorKind::Changed)),
    ("operation not supported", Some(ErrorKind::Unsupported)),
    ("function not implemented", Some(ErrorKind::Unsupported)),
    ("no such device or address", Some(ErrorKind::Unsupported)),
    // The same in German and French, where a server's locale is such.
    ("datei oder verzeichnis nicht gefunden", Some(ErrorKind::NotFound)),
    ("ist kein verzeichnis", Some(ErrorKind::NotDir)),
    ("ist ein verzeichnis", Some(ErrorKind::IsDir)),
    ("keine berechtigung", Some(ErrorKind::Denied)),
    ("datei existiert bereits", Some(ErrorKind::Exists)),
    ("verzeichnis ist nicht leer", Some(ErrorKind::NotEmpty)),
    ("aucun fichier ou dossier de ce type", Some(ErrorKind::NotFound)),
    ("n'est pas un dossier", Some(ErrorKind::NotDir)),
    ("est un dossier", Some(ErrorKind::IsDir)),
    ("le dossier n'est pas vide", Some(ErrorKind::NotEmpty)),
    // Windows, as IIS passes it on.
    ("cannot find the file specified", Some(ErrorKind::NotFound)),
    ("cannot find the path specified", Some(ErrorKind::NotFound)),
    ("angegebene datei nicht finden", Some(ErrorKind::NotFound)),
    ("angegebenen pfad nicht finden", Some(ErrorKind::NotFound)),
    // To the CWD into a file.
    ("directory name is invalid", Some(ErrorKind::NotDir)),
    ("file already exists", Some(ErrorKind::Exists)),
    ("directory is not empty", Some(ErrorKind::NotEmpty)),
    ("different disk drive", Some(ErrorKind::CrossDevice)),
    ("write protected", Some(ErrorKind::ReadOnly)),
    ("not enough space", Some(ErrorKind::NoSpace)),
    ("volume label syntax is incorrect", Some(ErrorKind::NameInvalid)),
    ("extension is too long", Some(ErrorKind::NameTooLong)),
    ("used by another process", Some(ErrorKind::Busy)),
    // Servers: too long, or not a name to them.
    ("path too long", Some(ErrorKind::NameTooLong)),
    ("line too long", Some(ErrorKind::NameTooLong)),
    ("command too long", Some(ErrorKind::NameTooLong)),
    ("forbidden command argument", Some(ErrorKind::NameInvalid)),
    ("prohibited file name", Some(ErrorKind::NameInvalid)),
    ("filename invalid", Some(ErrorKind::NameInvalid)),
    ("invalid filename", Some(ErrorKind::NameInvalid)),
    ("invalid file name", Some(ErrorKind::NameInvalid)),
    ("invalid directory name", Some(ErrorKind::NameInvalid)),
    // Servers: no room.
    ("disk full", Some(ErrorKind::NoSpace)),
    ("disk is full", Some(ErrorKind::NoSpace)),
    ("insufficient disk space", Some(ErrorKind::NoSpace)),
    // vsftpd and Pure-FTPd at the end of an upload.
    ("failure writing to local file", Some(ErrorKind::NoSpace)),
    ("error during write to file", Some(ErrorKind::NoSpace)),
    // The C library's "Disk quota exceeded", Pure-FTPd's "(quota)", Windows' "Not enough quota".
    ("quota", Some(ErrorKind::Quota)),
    ("file size limit", Some(ErrorKind::TooLarge)),
    // ProFTPD, for ever although it is a 451 and says "try again".
    ("append/restart not permitted", Some(ErrorKind::Unsupported)),
    // pyftpdlib to users without the right for a verb.
    ("not enough privileges", Some(ErrorKind::NotPermitted)),
    ("already exists", Some(ErrorKind::Exists)),
    // FileZilla Server 0.9 has no other words for a file where a directory is wanted, and the other way round;
    // pyftpdlib's MLSD of a file says "no such directory" as well.
    ("not found", None),
    ("no such directory", None),
    ("not exist", None),
    // Pure-FTPd's RNFR, whatever stat(2) said.
    ("n't exist", None),
    // IIS to the RETR, STOR or DELE of a directory.
    ("access is denied", None),
    ("access denied", None),
    ("zugriff verweigert", None),
    ("no permission", None),
    // ProFTPD of a link that leads nowhere.
    ("not a regular file", None),
    ("not a plain file", None),
];
