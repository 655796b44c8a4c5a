//! Names in every encoding: what is shown leads back to the same bytes, and what can be typed is what is shown.

use encoding_rs::*;
use ftpfs::ftp::encoding::Codec;
use ftpfs::remote::{Name, RemotePath};

/// Takes the bytes for a name, and for a path of names.
pub fn check(data: &[u8]) {
    // The longest name of a file on Linux is 255 bytes; 40 encodings look at it.
    let data = &data[..data.len().min(600)];
    let codecs = || PAGES.iter().map(|page| (page.name(), Codec::new(Some(page)))).chain([("none", Codec::default())]);
    for (page, codec) in codecs() {
        shown_path(codec, data);
        for part in data.split(|&b| b == b'/') {
            if let Some(name) = Name::new(part) {
                there_and_back(page, codec, &name);
            }
        }
    }
}

fn there_and_back(page: &str, codec: Codec, name: &Name) {
    let shown = codec.show(name);
    assert_eq!(sent(codec, &shown).as_deref(), Some(name.as_bytes()), "{page}: {name:?} is shown as {shown:?}");
    // The same bytes as a text that somebody types.
    if let Some(bytes) = sent(codec, name) {
        let file = Name::new(&bytes).unwrap_or_else(|| panic!("{page}: {name:?} is sent as {}", bytes.escape_ascii()));
        assert_eq!(codec.show(&file), *name, "{page}");
    }
}

/// The bytes of a shown name on the server.
fn sent(codec: Codec, shown: &Name) -> Option<Vec<u8>> {
    let path = codec.send(&RemotePath::root().join(shown))?;
    path.strip_prefix(b"/").map(<[u8]>::to_vec)
}

/// Slashes stay where they are, whatever stands between.
fn shown_path(codec: Codec, path: &[u8]) {
    let slashes = |path: &[u8]| path.iter().filter(|b| **b == b'/').count();
    for shown in [codec.show_path(path), codec.show_typed(path)] {
        assert_eq!(slashes(&shown), slashes(path), "{}", path.escape_ascii());
    }
    if let Some(path) = RemotePath::new(&[b"/", path].concat()) {
        assert_eq!(RemotePath::new(path.as_bytes()).as_ref(), Some(&path));
        assert!(!codec.send(&path).is_some_and(|bytes| bytes.iter().any(|b| b"\0\r\n".contains(b))));
    }
}

/// All that `encoding_rs` has, also those that are no code page for ftpfs.
static PAGES: [&Encoding; 40] = [
    BIG5,
    EUC_JP,
    EUC_KR,
    GB18030,
    GBK,
    IBM866,
    ISO_2022_JP,
    ISO_8859_10,
    ISO_8859_13,
    ISO_8859_14,
    ISO_8859_15,
    ISO_8859_16,
    ISO_8859_2,
    ISO_8859_3,
    ISO_8859_4,
    ISO_8859_5,
    ISO_8859_6,
    ISO_8859_7,
    ISO_8859_8,
    ISO_8859_8_I,
    KOI8_R,
    KOI8_U,
    MACINTOSH,
    REPLACEMENT,
    SHIFT_JIS,
    UTF_16BE,
    UTF_16LE,
    UTF_8,
    WINDOWS_1250,
    WINDOWS_1251,
    WINDOWS_1252,
    WINDOWS_1253,
    WINDOWS_1254,
    WINDOWS_1255,
    WINDOWS_1256,
    WINDOWS_1257,
    WINDOWS_1258,
    WINDOWS_874,
    X_MAC_CYRILLIC,
    X_USER_DEFINED,
];
