//! Reads a script: text in, values out.

use std::collections::BTreeMap;

use super::super::server::fill_pattern;

/// A server's words and files.
#[derive(Debug, Default)]
pub struct Script {
    /// User and password.
    pub login: (String, String),
    pub(super) line_end: &'static str,
    pub(super) limit: Option<usize>,
    pub(super) one_per_segment: bool,
    pub(super) short_rest: bool,
    pub(super) rules: Vec<Rule>,
    /// Listings by name and directory: `LIST -a`, `/pub`.
    pub(super) listings: BTreeMap<(String, String), Vec<String>>,
    nodes: BTreeMap<String, Node>,
}

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) verb: String,
    pub(super) conditions: Vec<String>,
    pub(super) lines: Vec<String>,
}

/// What is in the tree.
#[derive(Clone, Debug)]
pub enum Node {
    /// A directory.
    Dir,
    /// A file: content and time.
    File(Vec<u8>, String),
    /// A link and where it leads.
    Link(String),
}

impl Script {
    /// Reads the text of a script.
    ///
    /// # Errors
    /// The line that is not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut script = Self { line_end: "\r\n", ..Self::default() };
        script.nodes.insert("/".to_owned(), Node::Dir);
        let mut lines = text.lines().peekable();
        while let Some(head) = lines.next() {
            let mut body = Vec::new();
            while let Some(line) = lines.next_if(|line| line.starts_with("    ")) {
                body.push(line[4..].to_owned());
            }
            if head.is_empty() || head.starts_with('#') {
                continue;
            }
            script.item(head, body).ok_or_else(|| format!("not understood: {head}"))?;
        }
        Ok(script)
    }

    fn item(&mut self, head: &str, mut body: Vec<String>) -> Option<()> {
        if let Some((pattern, line)) = head.split_once("=>") {
            if !line.is_empty() {
                body.insert(0, line.strip_prefix(' ')?.to_owned());
            }
            let mut words = words(pattern).into_iter();
            let verb = words.next()?;
            let conditions: Vec<String> = words.collect();
            if !conditions.iter().all(|word| CONDITIONS.contains(&word.as_str()) || word.starts_with('"')) {
                return None;
            }
            self.rules.push(Rule { verb, conditions, lines: body });
            return Some(());
        }
        match head.split(' ').collect::<Vec<_>>()[..] {
            ["login", user, password] => self.login = (user.to_owned(), password.to_owned()),
            ["lines", "LF"] => self.line_end = "\n",
            ["limit", number] => self.limit = Some(number.parse().ok()?),
            ["REST", "before", "RETR", "alone"] => self.short_rest = true,
            ["one", "command", "per", "segment"] => self.one_per_segment = true,
            ["PATTERN", path, len, mtime] => {
                let mut bytes = vec![0; len.parse().ok()?];
                fill_pattern(1, 0, &mut bytes);
                self.nodes.insert(path.to_owned(), Node::File(bytes, mtime.to_owned()));
            }
            ["LINK", path, "->", ref target @ ..] => {
                self.nodes.insert(path.to_owned(), Node::Link(target.join(" ")));
            }
            ["FILE", ref words @ .., mtime] => {
                let content: String = body.iter().map(|line| format!("{line}\n")).collect();
                self.nodes.insert(words.join(" "), Node::File(content.into_bytes(), mtime.to_owned()));
            }
            ["LIST" | "MLSD" | "NLST", ..] => {
                let (name, dir) = head.split_once(" /")?;
                let dir = format!("/{dir}");
                self.nodes.insert(dir.clone(), Node::Dir);
                self.listings.insert((name.to_owned(), dir), body);
            }
            _ => return None,
        }
        Some(())
    }

    /// A file's bytes.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn content(&self, path: &str) -> &[u8] {
        match self.find(path) {
            Some((_, Node::File(bytes, _))) => bytes,
            other => panic!("{path} is no file: {other:?}"),
        }
    }

    /// Where a path leads, links followed, and what is there.
    pub(super) fn find(&self, path: &str) -> Option<(String, &Node)> {
        let mut way = String::new();
        let mut parts: Vec<&str> = path.split('/').rev().collect();
        for _ in 0..100 {
            let Some(part) = parts.pop() else {
                let way = if way.is_empty() { "/".to_owned() } else { way };
                return Some((way.clone(), self.nodes.get(&way)?));
            };
            match part {
                "" | "." => {}
                ".." => way.truncate(way.rfind('/').unwrap_or(0)),
                name => {
                    let next = format!("{way}/{name}");
                    match self.nodes.get(&next)? {
                        Node::Link(target) => {
                            if target.starts_with('/') {
                                way.clear();
                            }
                            parts.extend(target.split('/').rev());
                        }
                        Node::File(..) if parts.iter().any(|part| !part.is_empty()) => return None,
                        Node::Dir | Node::File(..) => way = next,
                    }
                }
            }
        }
        None
    }

    /// The facts that MLSD shows of a path.
    pub(super) fn facts(&self, path: &str) -> String {
        let (dir, name) = match path.rsplit_once('/') {
            None | Some(("", "")) => ("/", "."),
            Some(("", name)) => ("/", name),
            Some((dir, name)) => (dir, name),
        };
        let lines = self.listings.get(&("MLSD".to_owned(), dir.to_owned()));
        let mut pairs = lines.into_iter().flatten().filter_map(|line| line.split_once(' '));
        pairs.find(|(_, shown)| *shown == name).map_or("type=dir;", |(facts, _)| facts).to_owned()
    }
}

/// Words between blanks; what stands in quotes is one word, with the quote in front of it.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (number, part) in text.split('"').enumerate() {
        if number % 2 == 1 {
            words.push(format!("\"{part}"));
        } else {
            words.extend(part.split_ascii_whitespace().map(str::to_owned));
        }
    }
    words
}

const CONDITIONS: [&str; 12] =
    ["in", "out", "right", "wrong", "file", "dir", "missing", "binary", "ascii", "open", "closed", "beyond"];
