//! The `.netrc` file: who logs in where. Pure; the file itself is read in [`credentials`](super::credentials).
//!
//! Words are separated by white space and may stand in double quotes with `\"`, `\\`, `\n`, `\r`, `\t` inside, as curl
//! reads them. A `#` where a keyword is expected begins a comment; inside a value it is part of the value, because
//! passwords hold it more often than people write comments there.

use crate::base::Secret;

/// One `machine` or `default` entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The host; None for `default`.
    pub machine: Option<Vec<u8>>,
    /// The user name.
    pub login: Option<Vec<u8>>,
    /// The password.
    pub password: Option<Secret>,
}

/// All entries in the order of the file.
///
/// # Errors
/// A sentence that names the line and none of its words.
pub fn parse(text: &[u8]) -> Result<Vec<Entry>, String> {
    let mut words = Words { text, at: 0 };
    let mut entries: Vec<Entry> = Vec::new();
    while let Some(keyword) = words.keyword()? {
        match keyword.to_ascii_lowercase().as_slice() {
            b"machine" => {
                let machine = Some(words.value("machine")?);
                entries.push(Entry { machine, ..Entry::default() });
            }
            b"default" => entries.push(Entry::default()),
            b"login" => {
                let login = words.value("login")?;
                words.owner(&mut entries, "login")?.login = Some(login);
            }
            b"password" => {
                let password = Secret::new(words.value("password")?);
                words.owner(&mut entries, "password")?.password = Some(password);
            }
            b"account" => drop(words.value("account")?),
            b"macdef" => words.skip_macro(),
            // curl and ftp go on after words that they do not know, and so do the files written for them.
            _ => {}
        }
    }
    Ok(entries)
}

/// The entry for `host`, of `user` where that is known already: the first that fits, `default` only after all others.
pub fn find<'a>(entries: &'a [Entry], host: &str, user: Option<&[u8]>) -> Option<&'a Entry> {
    let fits = |entry: &&Entry| match (user, &entry.login) {
        (Some(user), Some(login)) => login == user,
        // Without a name on either side there is nobody to log in as.
        (None, None) => false,
        _ => true,
    };
    let named = |entry: &&Entry| entry.machine.as_ref().is_some_and(|m| m.eq_ignore_ascii_case(host.as_bytes()));
    let found = entries.iter().filter(named).find(fits);
    found.or_else(|| entries.iter().filter(|entry| entry.machine.is_none()).find(fits))
}

struct Words<'a> {
    text: &'a [u8],
    at: usize,
}

impl Words<'_> {
    /// The next word where a keyword is expected; None at the end.
    fn keyword(&mut self) -> Result<Option<Vec<u8>>, String> {
        loop {
            self.skip_space();
            if self.text.get(self.at) != Some(&b'#') {
                return self.word();
            }
            self.skip_line();
        }
    }

    fn value(&mut self, of: &str) -> Result<Vec<u8>, String> {
        self.skip_space();
        self.word()?.ok_or_else(|| format!("line {}: nothing follows '{of}'", self.line()))
    }

    fn owner<'e>(&self, entries: &'e mut [Entry], what: &str) -> Result<&'e mut Entry, String> {
        entries.last_mut().ok_or_else(|| format!("line {}: '{what}' stands before the first 'machine'", self.line()))
    }

    fn word(&mut self) -> Result<Option<Vec<u8>>, String> {
        match self.text.get(self.at) {
            None => Ok(None),
            Some(b'"') => self.quoted().map(Some),
            Some(_) => {
                let rest = &self.text[self.at..];
                let len = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
                self.at += len;
                Ok(Some(rest[..len].to_vec()))
            }
        }
    }

    fn quoted(&mut self) -> Result<Vec<u8>, String> {
        let mut word = Vec::new();
        let mut bytes = self.text[self.at + 1..].iter();
        while let Some(&byte) = bytes.next() {
            match byte {
                b'"' => {
                    self.at = self.text.len() - bytes.len();
                    return Ok(word);
                }
                b'\\' => word.push(match bytes.next() {
                    Some(b'n') => b'\n',
                    Some(b'r') => b'\r',
                    Some(b't') => b'\t',
                    Some(&other) => other,
                    None => break,
                }),
                other => word.push(other),
            }
        }
        // Where the quote was opened; counted only now, for each word would look at all the lines before it.
        Err(format!("line {}: the closing quote is missing", self.line()))
    }

    /// A macro goes on to the next empty line.
    fn skip_macro(&mut self) {
        let rest = &self.text[self.at..];
        let end = (0..rest.len()).find(|&i| rest[i..].starts_with(b"\n\n") || rest[i..].starts_with(b"\n\r\n"));
        self.at += end.unwrap_or(rest.len());
    }

    fn skip_space(&mut self) {
        self.at += self.text[self.at..].iter().take_while(|b| b.is_ascii_whitespace()).count();
    }

    fn skip_line(&mut self) {
        self.at += self.text[self.at..].iter().take_while(|&&b| b != b'\n').count();
    }

    fn line(&self) -> usize {
        1 + self.text[..self.at].iter().filter(|&&b| b == b'\n').count()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: &str = "# mine\nmachine a.example login bob password pw#1\n\
        machine A.example\n\tlogin eve\n\taccount x password \"two words \\\" \\\\\"\n\
        macdef init\nmachine trap login trap password trap\n\nmachine b login \"\" password x\n\
        default login anonymous password me@here machine c password only";

    fn asked(host: &str, user: Option<&str>) -> Option<(String, String)> {
        let entries = parse(FILE.as_bytes()).expect("FILE is well-formed");
        find(&entries, host, user.map(str::as_bytes)).map(|entry| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let login = entry.login.as_deref().map(text).unwrap_or_default();
            (login, entry.password.as_ref().map(|p| text(p.reveal())).unwrap_or_default())
        })
    }

    #[test]
    fn the_entry_is_chosen_by_host_and_user() {
        let pair = |login: &str, password: &str| Some((login.to_string(), password.to_string()));
        assert_eq!(asked("a.example", None), pair("bob", "pw#1"));
        assert_eq!(asked("A.EXAMPLE", Some("eve")), pair("eve", "two words \" \\"));
        assert_eq!(asked("a.example", Some("mallory")), None);
        assert_eq!(asked("trap", None), pair("anonymous", "me@here"));
        assert_eq!(asked("trap", Some("trap")), None);
        assert_eq!(asked("c", Some("carol")), pair("", "only"));
        assert_eq!(asked("c", None), pair("anonymous", "me@here"));
    }

    #[test]
    fn errors_name_the_line_and_no_word() {
        for (text, want) in [
            ("machine h\nlogin", "line 2: nothing follows 'login'"),
            ("login bob", "line 1: 'login' stands before the first 'machine'"),
            ("machine h\n\npassword \"hunter2", "line 3: the closing quote is missing"),
            ("machine h password \"hunter2\\", "line 1: the closing quote is missing"),
        ] {
            let error = parse(text.as_bytes()).expect_err(text);
            assert_eq!(error, want);
        }
    }

    #[test]
    fn a_long_file_costs_one_look_at_each_line() {
        // Each quoted word once counted all the lines before it, for an error that it did not have.
        let text = [&b"machine \"h\"\nlogin \"bob\"\n".repeat(200_000)[..], b"password \"hunter2"].concat();
        assert_eq!(parse(&text), Err("line 400001: the closing quote is missing".into()));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in "(machine|default|login|password|macdef|[a\"\\\\# \n\r]){0,40}") {
            let _ = parse(text.as_bytes());
        }
    }
}
