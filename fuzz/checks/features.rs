//! The answer to FEAT, and the OPTS MLST that is made of it.

use ftpfs::ftp::command::Iac;
use ftpfs::ftp::features::{Fact, Features};
use ftpfs::ftp::reply::Reply;

use super::reply;

/// Takes the bytes for what stands between the first and the last line of a 211, and for a greeting.
pub fn check(data: &[u8]) {
    let Some(feat) = reply(&[b"211-Features:\r\n", data, b"\r\n211 End\r\n"].concat()) else {
        return;
    };
    let features = Features::parse(&feat);
    let facts = features.mlst.as_deref().unwrap_or_default();
    assert!(facts.len() <= 100 && facts.iter().all(|fact| !fact.name.is_empty()));
    assert!(features.mlsd || features.mlst.is_none());
    ask_for_facts(&features);
    let _ = features.software(&feat);
    assert_eq!(Features::parse(&refused(&feat)), Features::default());
}

/// The command is one line, and a server that has obeyed it is not asked again.
fn ask_for_facts(features: &Features) {
    let Some(command) = features.opts_mlst_wanted() else {
        return;
    };
    let mut line = Vec::new();
    command.encode(Iac::Doubled, &mut line);
    let words = line.strip_prefix(b"OPTS MLST ").and_then(|line| line.strip_suffix(b"\r\n")).expect("OPTS MLST");
    assert!(!words.iter().any(|b| b"\0\r\n".contains(b)), "{}", words.escape_ascii());
    let asked: Vec<&[u8]> = words.split(|&b| b == b';').filter(|name| !name.is_empty()).collect();
    let mut obeyed = features.clone();
    for Fact { name, on } in obeyed.mlst.iter_mut().flatten() {
        *on = asked.contains(&name.as_bytes());
    }
    assert_eq!(obeyed.opts_mlst_wanted(), None);
}

/// The same words with a code that announces nothing.
fn refused(feat: &Reply) -> Reply {
    let code = reply(b"500 ?\r\n").expect("a reply").code;
    Reply { code, lines: feat.lines.clone() }
}
