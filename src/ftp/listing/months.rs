//! Names of months, as `ls` abbreviates them in the languages and encodings that servers print.
//!
//! A listing says neither its language nor its encoding, so a word is looked up in all of them; the abbreviations of
//! different languages hardly contradict each other. Where they do, the language with more servers has it: `lis` is
//! November (Polish, Czech) and not October (Croatian), `lip` July, `srp` August, unless other months of the listing can
//! only be Croatian ([`is_croatian`]). Languages with fewer servers are in [`world`](super::world), in UTF-8 only.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::world::WORLD;

/// The number of a month's name or abbreviation, in any case, with or without a full stop or comma behind it.
pub(super) fn month(word: &[u8]) -> Option<u8> {
    let word = word.strip_suffix(b",").unwrap_or(word);
    let word = word.strip_suffix(b".").unwrap_or(word);
    // Catalan: `d'abr.`.
    let word = word.strip_prefix(b"d'").or_else(|| word.strip_prefix("d\u{2019}".as_bytes())).unwrap_or(word);
    if word.len() < 2
        || word.len() > LONGEST
        || !word.iter().all(|b| b.is_ascii_alphabetic() || *b >= 0x80 || b".-'".contains(b))
    {
        return None;
    }
    // Nearly every word of nearly every listing.
    if let Some(found) = english(word) {
        return Some(found);
    }
    // Three letters of code page 866 may be one of UTF-8, so failing here does not end it.
    if let Some(lower) = str::from_utf8(word).ok().map(str::to_lowercase) {
        let found = KNOWN.get(&lower[..]).copied().or_else(|| FAR.get(&lower[..]).copied());
        if found.is_some() || word.is_ascii() {
            return found;
        }
    }
    ENCODINGS.iter().find_map(|decode| {
        let text = word
            .iter()
            .map(|&b| if b.is_ascii() { Some(char::from(b)) } else { decode(b) })
            .collect::<Option<String>>()?;
        KNOWN.get(&text.to_lowercase()[..]).copied()
    })
}

/// As [`month`] in a Croatian listing, where some words of Poland and the Czechs are those of the month before.
pub(super) fn croatian(word: &[u8]) -> Option<u8> {
    let word = word.strip_suffix(b".").unwrap_or(word);
    match &word.to_ascii_lowercase()[..] {
        b"lip" | b"lipanj" | b"lipnja" => Some(6),
        b"srp" | b"srpanj" | b"srpnja" => Some(7),
        b"lis" | b"listopad" | b"listopada" => Some(10),
        _ => month(word),
    }
}

/// Whether a word is a month of Croatia's, and of nobody else's who has the same words for other months.
pub(super) fn is_croatian(word: &[u8]) -> bool {
    let word = word.strip_suffix(b".").unwrap_or(word).to_ascii_lowercase();
    [&b"sij"[..], b"velj", b"tra", b"svi", b"kol", b"ruj", b"stu"].contains(&&word[..]) || word == "ožu".as_bytes()
}

/// `Nov`, `Sept`, `November`.
fn english(word: &[u8]) -> Option<u8> {
    let at = ENGLISH.iter().position(|name| {
        word.len() >= 3 && name.get(..word.len()).is_some_and(|head| head.as_bytes().eq_ignore_ascii_case(word))
    })?;
    u8::try_from(at + 1).ok()
}

static KNOWN: LazyLock<HashMap<&str, u8>> = LazyLock::new(|| table(&OTHERS));
static FAR: LazyLock<HashMap<&str, u8>> = LazyLock::new(|| table(&WORLD));

fn table(months: &[&'static str; 12]) -> HashMap<&'static str, u8> {
    let words = (1..).zip(months).flat_map(|(month, names)| names.split(' ').map(move |name| (name, month)));
    words.collect()
}

type Decode = fn(u8) -> Option<char>;

/// Encodings that are not UTF-8: a word is taken for what first makes it a month.
const ENCODINGS: [Decode; 9] = [latin1, cp1251, koi8, cp866, iso_cyrillic, latin2, greek, turkish, dos];

fn latin1(b: u8) -> Option<char> {
    (b >= 0xc0).then(|| char::from(b))
}

fn cp1251(b: u8) -> Option<char> {
    match b {
        0xb3 => Some('і'),
        0xc0.. => char::from_u32(0x410 + u32::from(b - 0xc0)),
        _ => None,
    }
}

fn koi8(b: u8) -> Option<char> {
    const LETTERS: &str = "юабцдефгхийклмнопярстужвьызшэщчъ";
    match b {
        0xa6 => Some('і'),
        // Small letters come first, capitals in the same order.
        0xc0.. => LETTERS.chars().nth(usize::from(b & 0x1f)),
        _ => None,
    }
}

fn cp866(b: u8) -> Option<char> {
    match b {
        0x80..=0xaf => char::from_u32(0x410 + u32::from(b - 0x80)),
        0xe0..=0xef => char::from_u32(0x440 + u32::from(b - 0xe0)),
        _ => None,
    }
}

fn iso_cyrillic(b: u8) -> Option<char> {
    match b {
        0xb0..=0xef => char::from_u32(0x410 + u32::from(b - 0xb0)),
        0xf6 => Some('і'),
        _ => None,
    }
}

/// ISO 8859-2 and Windows-1250, as far as they occur in months.
fn latin2(b: u8) -> Option<char> {
    Some(match b {
        0xbc | 0x9f => 'ź',
        0xb9 | 0x9a => 'š',
        0xbe | 0x9e => 'ž',
        0xe8 | 0xc8 => 'č',
        0xec => 'ě',
        0xf8 | 0xd8 => 'ř',
        0xe1 | 0xc1 => 'á',
        0xe9 => 'é',
        0xed => 'í',
        0xf3 => 'ó',
        0xfa | 0xda => 'ú',
        _ => return None,
    })
}

/// ISO 8859-7 and Windows-1253.
fn greek(b: u8) -> Option<char> {
    (b >= 0xb8).then(|| char::from_u32(0x2d0 + u32::from(b))).flatten()
}

/// ISO 8859-9.
fn turkish(b: u8) -> Option<char> {
    match b {
        0xde | 0xfe => Some('ş'),
        0xf0 => Some('ğ'),
        _ => None,
    }
}

/// Code pages 437, 850 and 852.
fn dos(b: u8) -> Option<char> {
    Some(match b {
        0x81 => 'ü',
        0x82 => 'é',
        0x84 => 'ä',
        0x96 => 'û',
        0xa0 => 'á',
        0xa3 => 'ú',
        0xab => 'ź',
        _ => return None,
    })
}

/// In bytes; the Thai ones are long.
const LONGEST: usize = 60;

const ENGLISH: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// What other languages call them, in small letters.
const OTHERS: [&str; 12] = [
    "janv gen ene jän jän januar jänner janvier gener tammi tammikuu sty led leden ian oca sau sij sijec urt xan jaan янв январь января січ яну \
     ιαν ינו ينا يناير ม.ค",
    "fév fev févr fevr féb febr februar février fbro febbraio helmi helmikuu lut úno únor şub vas velj ots veebr фев февраль февраля лют \
     φεβ פבר فبر فبراير ก.พ",
    "mär märz mrz mars mart marts mzo març mrt mrs maart marzo março maalis maaliskuu márc bře březen kov ožu märts мар марта март бер \
     μαρ μάρ מרץ מרס مار مارس มี.ค",
    "avr avril abr ápr huhti huhtikuu kwi dub duben nis bal tra april api абр апр апреля апрель кві απρ אפר أبر أبريل เม.ย",
    "mai mag mei maj maí máj maio mayo maggio touko toukokuu kvě květen gegužė geg svi maig maijs май мая тра μάι μαΐ μαι \
     מאי ماي مايو พ.ค",
    "juni juin giu giugno jún cze kesä kesäkuu čen čer červen haz iun bir juny jūn juuni xuñ eka июн июнь июня чер юни ιουν ιούν יונ \
     يون يونيو มิ.ย",
    "juli juil jui lug luglio júl lip heinä heinäkuu čec tem iul lie juillet jūl juuli xul uzt июл июль июля юли ιουλ ιούλ יול يول \
     يوليو ก.ค",
    "aoû août aout ag ago agosto agto ágú sie elo elokuu srp ağu rgp avg abu авг август августа сер αυγ αύγ אוג أغس أغسطس ส.ค",
    "set sett settembre szept wrz syys syyskuu zář září eyl rgs sbre ruj ira septembre сен сент сентября сентябрь вер σεπ ספט سبت \
     سبتمبر ก.ย",
    "okt ott out oktober ottobre octobre paź loka lokakuu říj říjen eki spa obre urr окт октября октябрь жов οκτ אוק أكت أكتوبر ต.ค",
    "nóv lis listopad marras marraskuu kas lap nbre novembre noi stu aza ноя ноября ноябрь лис ное νοε νοέ נוב نوف نوفمبر พ.ย",
    "dez déc dic des desember dezember décembre dicembre dbre joulu joulukuu gru pro prosinec ara dets abe дек декабря декабрь гру \
     δεκ דצמ ديس ديسمبر ธ.ค",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages() {
        let years = [
            "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
            "january FEBRUARY march april may june july august sept. october november december",
            "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez",
            "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
            "janv. févr. mars avril mai juin juil. août sept. oct. nov. déc.",
            "jan fév mar avr mai jun jui aoû sep oct nov déc",
            "ene feb mar abr may jun jul ago sep oct nov dic",
            "gen feb mar apr mag giu lug ago set ott nov dic",
            "jan fev mar abr mai jun jul ago set out nov dez",
            "jan feb mrt apr mei jun jul aug sep okt nov dec",
            "jan feb mar apr maj jun jul aug sep okt nov dec",
            "jan. feb. mars april mai juni juli aug. sep. okt. nov. des.",
            "tammi helmi maalis huhti touko kesä heinä elo syys loka marras joulu",
            "sty lut mar kwi maj cze lip sie wrz paź lis gru",
            "led úno bře dub kvě čen čec srp zář říj lis pro",
            "jan febr márc ápr máj jún júl aug szept okt nov dec",
            "янв фев мар апр мая июн июл авг сен окт ноя дек",
            "Янв ФЕВ Мар Апр май Июн Июл Авг Сен Окт Ноя Дек",
            "січ лют бер кві тра чер лип сер вер жов лис гру",
            "яну фев мар апр май юни юли авг сеп окт ное дек",
            "Ιαν Φεβ Μαρ Απρ Μάι Ιουν Ιουλ Αυγ Σεπ Οκτ Νοε Δεκ",
            "Oca Şub Mar Nis May Haz Tem Ağu Eyl Eki Kas Ara",
            "ian feb mar apr mai iun iul aug sep oct noi dec",
        ];
        for year in years {
            for (at, name) in year.split(' ').enumerate() {
                let want = u8::try_from(at + 1).ok();
                assert_eq!(month(name.as_bytes()), want, "{name} in {year}");
            }
        }
    }

    #[test]
    fn languages_of_fewer_servers() {
        let years = [
            "сту лют сак кра май чэр ліп жні вер кас ліс сне",
            "јан феб мар апр мај јун јул авг сеп окт нов дец",
            "jan feb mar apr mei jun jul agu sep okt nov des",
            "gen. febr. març abr. maig juny jul. d\u{2019}ag. set. d'oct. nov. des.",
            "一月 二月 三月 四月 五月 六月 七月 八月 九月 十月 十一月 十二月",
            "saus. vas. kov. bal. geg. birž. liep. rugp. rugs. spal. lapkr. gruod.",
            "янв февр мар апр мая июнь июль авг сент окт нояб дек",
            "janv fevr mars avr mai juin juil aout sept oct nov dec",
            "қаң ақп нау сәу мам мау шіл там қыр қаз қар жел",
            "հնվ փտվ մրտ ապր մյս հնս հլս օգս սեպ հոկ նոյ դեկ",
        ];
        for year in years {
            for (at, name) in year.split(' ').enumerate() {
                assert_eq!(month(name.as_bytes()), u8::try_from(at + 1).ok(), "{name} in {year}");
            }
        }
        // The July of Croatia is the August of the Czechs.
        for (at, name) in "Sij Velj Ožu Tra Svi Lip Srp Kol Ruj Lis Stu Pro".split(' ').enumerate() {
            assert_eq!(croatian(name.as_bytes()), u8::try_from(at + 1).ok(), "{name}");
        }
        assert!(is_croatian(b"Kol") && !is_croatian(b"Lip") && !is_croatian(b"Pro"));
    }

    #[test]
    fn encodings() {
        let table: &[(&[u8], u8)] = &[
            (b"M\xe4r", 3),
            (b"m\xe4rz", 3),
            (b"f\xe9vr.", 2),
            (b"ao\xfbt", 8),
            (b"d\xe9c.", 12),
            (b"f\x82v", 2),
            (b"ao\x96", 8),
            (b"kes\xe4", 6),
            // Windows-1251, KOI8-R, code page 866, ISO 8859-5.
            (b"\xff\xed\xe2", 1),
            (b"\xcc\xe0\xe9", 5),
            (b"\xee\xea\xf2", 10),
            (b"\xd1\xce\xd7", 1),
            (b"\xcd\xc1\xca", 5),
            (b"\xef\xcb\xd4", 10),
            (b"\xef\xad\xa2", 1),
            (b"\xa4\xa5\xaa", 12),
            (b"\xdd\xde\xef", 11),
            // Polish, Czech, Greek, Turkish.
            (b"pa\xbc", 10),
            (b"pa\x9f", 10),
            (b"\xf8\xedj", 10),
            (b"kv\xec", 5),
            (b"\xc9\xe1\xed", 1),
            (b"\xc4\xe5\xea", 12),
            (b"\xdeub", 2),
            (b"A\xf0u", 8),
        ];
        for (word, want) in table {
            // Greek and Cyrillic share their bytes; the first that makes sense is taken.
            if *word != b"\xc4\xe5\xea" || month(word) != Some(12) {
                assert_eq!(month(word), Some(*want), "{}", word.escape_ascii());
            }
        }
    }

    #[test]
    fn words_that_are_no_months() {
        for word in [&b""[..], b"J", b"No", b"Nov1", b"Jam", b"root", b"\xff\xff\xff", b"Novembers", b"11", b"-"] {
            assert_eq!(month(word), None, "{}", word.escape_ascii());
        }
    }
}
