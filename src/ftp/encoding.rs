//! Names: the bytes that a server uses, and those that the mount shows.
//!
//! Without a code page both are the same: a name of a Unix file is any bytes, in UTF-8 or not. With one, a name is shown
//! as the text that its bytes spell, and a text goes back as its bytes, but only where that is a round trip: a name that
//! would come back as other bytes (undecodable ones, a second way to write the same letter, an escape sequence for
//! nothing, a `/` that was none before) is shown as its raw bytes.
//!
//! Raw bytes may happen to be UTF-8 that the code page can write as well: that text is the name of another file, which
//! may exist. Only such a name gets the byte 0xFF in front, which occurs in no UTF-8. So the shown name alone tells
//! the server's name: nothing has to be remembered, and no two names of a directory are ever the same.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

use crate::remote::{Name, RemotePath};

/// How the names of one server are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Codec {
    /// None: bytes as they are.
    page: Option<&'static Encoding>,
}

impl Codec {
    /// Names in the encoding `page`, as they are where it is None or UTF-8.
    pub fn new(page: Option<&'static Encoding>) -> Self {
        Self { page: page.filter(|page| *page != UTF_8) }
    }

    /// Whether names are read in a code page of the user's choice, so that the server must not convert them itself.
    pub fn is_code_page(self) -> bool {
        self.page.is_some()
    }

    /// What the mount shows for a name on the server.
    pub fn show(self, name: &Name) -> Name {
        match self.page.and_then(|page| Name::new(&show(page, name.as_bytes()))) {
            Some(shown) => shown,
            None => name.clone(),
        }
    }

    /// The bytes of a shown path on the server; None where the code page has no bytes for it, so that no such file exists.
    pub fn send(self, shown: &RemotePath) -> Option<Vec<u8>> {
        let Some(page) = self.page else { return Some(shown.as_bytes().to_vec()) };
        self.each_part(shown.as_bytes(), |part| send(page, part))
    }

    /// What the mount shows for a path or a link's target on the server.
    pub fn show_path(self, path: &[u8]) -> Vec<u8> {
        let Some(page) = self.page else { return path.to_vec() };
        self.each_part(path, |part| Some(shown_part(page, part))).unwrap_or_else(|| path.to_vec())
    }

    /// What the mount shows for a path that a user has typed: text stands for itself, other bytes for the server's.
    pub fn show_typed(self, path: &[u8]) -> Vec<u8> {
        let Some(page) = self.page else { return path.to_vec() };
        let part = |part| {
            let text = std::str::from_utf8(part).is_ok();
            Some(if text { Cow::Borrowed(part) } else { shown_part(page, part) })
        };
        self.each_part(path, part).unwrap_or_else(|| path.to_vec())
    }

    fn each_part<'a>(self, path: &'a [u8], convert: impl Fn(&'a [u8]) -> Option<Cow<'a, [u8]>>) -> Option<Vec<u8>> {
        let parts: Option<Vec<_>> = path.split(|&b| b == b'/').map(convert).collect();
        Some(parts?.join(&b'/'))
    }
}

/// [`show`], but for parts that are no name: those of `//`, `.` and `..`.
fn shown_part<'a>(page: &'static Encoding, part: &'a [u8]) -> Cow<'a, [u8]> {
    if Name::new(part).is_some() { show(page, part) } else { Cow::Borrowed(part) }
}

fn show<'a>(page: &'static Encoding, name: &'a [u8]) -> Cow<'a, [u8]> {
    match decode(page, name) {
        Some(text) => text,
        None if needs_mark(page, name) => Cow::Owned([&[MARK], name].concat()),
        None => Cow::Borrowed(name),
    }
}

fn send<'a>(page: &'static Encoding, shown: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    if shown.is_empty() || shown == b"." || shown == b".." {
        return Some(Cow::Borrowed(shown));
    }
    if let Some(name) = encode(page, shown) {
        return Some(name);
    }
    let raw = match shown.split_first() {
        Some((&MARK, raw)) if needs_mark(page, raw) => raw,
        _ => shown,
    };
    // A text without bytes in this code page may spell the raw name of something else, which is shown in another way.
    (show(page, raw) == shown).then_some(Cow::Borrowed(raw))
}

/// The text of a name, if that text stands for these bytes and no others.
fn decode<'a>(page: &'static Encoding, name: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let text = page.decode_without_bom_handling_and_without_replacement(name)?;
    let (back, _, unmappable) = page.encode(&text);
    let same = !unmappable && *back == *name;
    (same && Name::new(text.as_bytes()).is_some()).then(|| match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}

/// The bytes of a text, if they stand for this text and no other.
fn encode<'a>(page: &'static Encoding, shown: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let text = std::str::from_utf8(shown).ok()?;
    let (name, _, unmappable) = page.encode(text);
    if unmappable || Name::new(&name).is_none() {
        return None;
    }
    (*decode(page, &name)? == *shown).then_some(name)
}

/// Whether a name that is shown raw would pass for another one: for one of text, or for a marked one.
fn needs_mark(page: &'static Encoding, raw: &[u8]) -> bool {
    // `FF FF x` passes for the marked `FF x` if that one passes for the marked `x`.
    let marks = raw.iter().take_while(|&&b| b == MARK).count();
    let rest = &raw[marks..];
    let undecodable = |from: usize| decode(page, &raw[from..]).is_none();
    !rest.is_empty() && encode(page, rest).is_some() && (0..=marks).all(undecodable)
}

/// Stands in front of a raw name that would pass for another one.
const MARK: u8 = 0xff;

#[cfg(test)]
mod tests {
    use encoding_rs::{BIG5, EUC_KR, GB18030, GBK, ISO_2022_JP, KOI8_R, SHIFT_JIS, WINDOWS_1252};
    use proptest::prelude::*;

    use super::*;

    fn shown(page: &'static Encoding, name: &[u8]) -> Vec<u8> {
        Codec::new(Some(page)).show(&Name::new(name).expect("a name")).as_bytes().to_vec()
    }

    fn sent(page: &'static Encoding, shown: &[u8]) -> Option<Vec<u8>> {
        let path = RemotePath::new(&[b"/", shown].concat()).expect("a path");
        Codec::new(Some(page)).send(&path).map(|path| path[1..].to_vec())
    }

    /// All encodings that a code page can be.
    const PAGES: [&str; 38] = [
        "utf-8",
        "ibm866",
        "iso-8859-2",
        "iso-8859-3",
        "iso-8859-4",
        "iso-8859-5",
        "iso-8859-6",
        "iso-8859-7",
        "iso-8859-8",
        "iso-8859-8-i",
        "iso-8859-10",
        "iso-8859-13",
        "iso-8859-14",
        "iso-8859-15",
        "iso-8859-16",
        "koi8-r",
        "koi8-u",
        "macintosh",
        "windows-874",
        "windows-1250",
        "windows-1251",
        "windows-1252",
        "windows-1253",
        "windows-1254",
        "windows-1255",
        "windows-1256",
        "windows-1257",
        "windows-1258",
        "x-mac-cyrillic",
        "gbk",
        "gb18030",
        "big5",
        "euc-jp",
        "iso-2022-jp",
        "shift_jis",
        "euc-kr",
        "x-user-defined",
        "latin1",
    ];

    #[test]
    fn names_in_a_code_page_are_shown_as_their_text() {
        let table: &[(&'static Encoding, &[u8], &str)] = &[
            (WINDOWS_1252, b"Stra\xdfe \x80", "Stra\u{df}e \u{20ac}"),
            (GBK, b"\xd6\xd0\xce\xc4.txt", "\u{4e2d}\u{6587}.txt"),
            (SHIFT_JIS, b"\x83\x5c", "\u{30bd}"),
            (BIG5, b"\xa4\xa4", "\u{4e2d}"),
            (EUC_KR, b"\xc7\xd1", "\u{d55c}"),
            (KOI8_R, b"\xcd\xc9\xd2", "\u{43c}\u{438}\u{440}"),
            (ISO_2022_JP, b"\x1b$B$\"\x1b(B", "\u{3042}"),
            (GB18030, b"plain -~", "plain -~"),
        ];
        for (page, name, text) in table {
            assert_eq!(shown(page, name), text.as_bytes(), "{text}");
            assert_eq!(sent(page, text.as_bytes()).as_deref(), Some(*name), "{text}");
        }
    }

    #[test]
    fn what_is_no_round_trip_stays_raw() {
        let table: &[(&'static Encoding, &[u8])] = &[
            // Cut in the middle, and bytes that are no letter.
            (GBK, b"x\xd6"),
            (SHIFT_JIS, b"\xff\xfe"),
            // NEC's and IBM's place for the same letter.
            (SHIFT_JIS, b"\xed\x40"),
            // A change of alphabet for nothing.
            (ISO_2022_JP, b"\x1b(Babc"),
            // Four bytes, which GBK's decoder takes and its encoder never writes.
            (GBK, b"\x81\x30\x81\x30"),
        ];
        for (page, name) in table {
            assert_eq!(shown(page, name), *name, "{}", name.escape_ascii());
            assert_eq!(sent(page, name).as_deref(), Some(*name), "{}", name.escape_ascii());
        }
    }

    #[test]
    fn raw_bytes_that_spell_another_name_are_marked() {
        // One client has stored UTF-8 beside the GBK of all others: two files, and both look like the same text.
        let (utf8, gbk) = ("\u{4e2d}".as_bytes(), &b"\xd6\xd0"[..]);
        assert_eq!(shown(GBK, gbk), utf8);
        let marked = [&b"\xff"[..], utf8].concat();
        assert_eq!(shown(GBK, utf8), marked);
        assert_eq!(shown(GBK, &marked), [&b"\xff"[..], &marked].concat());
        for name in [utf8, gbk, &marked, &[b"\xff", &marked[..]].concat()] {
            assert_eq!(sent(GBK, &shown(GBK, name)).as_deref(), Some(name));
        }
        // Where the code page has no such letter there is nothing to mix it up with.
        let clef = "\u{1d11e}".as_bytes();
        assert_eq!(shown(SHIFT_JIS, clef), clef);
    }

    #[test]
    fn a_text_that_the_code_page_cannot_write_is_no_file() {
        assert_eq!(sent(WINDOWS_1252, "\u{4e2d}".as_bytes()), None);
        assert_eq!(sent(KOI8_R, "\u{df}".as_bytes()), None);
    }

    #[test]
    fn paths_and_links_part_by_part() {
        let codec = Codec::new(Some(GBK));
        assert_eq!(codec.show_path(b"../\xd6\xd0/./x\xd6"), [b"../", "\u{4e2d}".as_bytes(), b"/./x\xd6"].concat());
        assert_eq!(codec.show_path(b"/"), b"/");
        let typed = [b"/", "\u{4e2d}".as_bytes(), b"/\xd6\xd0"].concat();
        assert_eq!(codec.show_typed(&typed), "/\u{4e2d}/\u{4e2d}".as_bytes());
        let path = RemotePath::new(&codec.show_typed(&typed)).expect("a path");
        assert_eq!(codec.send(&path).as_deref(), Some(&b"/\xd6\xd0/\xd6\xd0"[..]));
    }

    #[test]
    fn without_a_code_page_bytes_are_bytes() {
        for codec in [Codec::default(), Codec::new(Some(UTF_8))] {
            let name = Name::new(b"\xff\xc3\xbc\x81").expect("a name");
            assert_eq!(codec.show(&name), name);
            assert_eq!(codec.show_path(b"a//\xff"), b"a//\xff");
            assert!(!codec.is_code_page());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn every_name_comes_back_as_it_was(page in prop::sample::select(&PAGES[..]), name in any_name()) {
            let page = Encoding::for_label(page.as_bytes()).expect("an encoding");
            if let Some(name) = Name::new(&name) {
                let shown = Codec::new(Some(page)).show(&name);
                let back = sent(page, shown.as_bytes());
                prop_assert_eq!(back.as_deref(), Some(name.as_bytes()), "{:?}", shown);
            }
        }

        #[test]
        fn what_can_be_sent_is_what_is_shown(page in prop::sample::select(&PAGES[..]), text in any_name()) {
            let page = Encoding::for_label(page.as_bytes()).expect("an encoding");
            if let Some(text) = Name::new(&text)
                && let Some(name) = sent(page, text.as_bytes())
            {
                prop_assert_eq!(shown(page, &name), text.as_bytes());
            }
        }
    }

    /// Any bytes, bytes of Asian encodings with their escapes, marks before text, and text itself.
    fn any_name() -> impl Strategy<Value = Vec<u8>> {
        let lead = prop::collection::vec(prop_oneof![0x20u8..0x80, 0x80u8..=0xff, Just(0xff)], 1..8);
        let pieces = ["\x1b$B", "\x1b(B", "\x1b(J", "\u{4e2d}", "\u{fc}", "\u{20ac}", "\u{3042}", "a", ".", "-"];
        let piece = prop_oneof![
            prop::sample::select(pieces.to_vec()).prop_map(|piece| piece.as_bytes().to_vec()),
            Just(vec![MARK]),
            prop::collection::vec(0x21u8..0x7f, 2),
        ];
        prop_oneof![
            prop::collection::vec(any::<u8>(), 1..12),
            lead,
            "\\PC{1,6}".prop_map(String::into_bytes),
            prop::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat()),
        ]
    }
}
