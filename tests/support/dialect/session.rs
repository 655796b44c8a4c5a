//! One control connection of a played server.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::script::{Node, Rule};
use super::{Stage, duplicate};
use socket2::SockRef;

/// The conversation is over.
struct Gone;

/// Longer than any test waits: the listener only must not keep a thread for ever.
const ACCEPT_PATIENCE: Duration = Duration::from_secs(60);

struct Session<'a> {
    stage: &'a Stage,
    number: u64,
    control: &'a TcpStream,
    user: String,
    right: bool,
    logged_in: bool,
    binary: bool,
    cwd: String,
    rest: u64,
    listener: Option<TcpListener>,
    data: Option<TcpStream>,
    verb: String,
    arg: String,
    /// What the argument means, as the command found it.
    path: String,
}

/// Talks until one side hangs up.
pub(super) fn play(stage: &Stage, number: u64, control: &TcpStream) {
    let mut session = Session {
        stage,
        number,
        control,
        user: String::new(),
        right: false,
        logged_in: false,
        binary: false,
        cwd: "/".to_owned(),
        rest: 0,
        listener: None,
        data: None,
        verb: String::new(),
        arg: String::new(),
        path: "/".to_owned(),
    };
    let _ = control.set_nodelay(true);
    let crowded = stage.script.limit.is_some_and(|limit| stage.sessions.load(Ordering::SeqCst) > limit);
    let welcome = if crowded { "crowded" } else { "greeting" };
    if session.special(welcome).is_ok() && !crowded {
        session.converse();
    }
}

impl Session<'_> {
    fn converse(&mut self) {
        let mut reader = BufReader::new(self.control);
        loop {
            let mut line = Vec::new();
            if self.stage.script.one_per_segment {
                let mut segment = vec![0; 4096];
                let Ok(len @ 1..) = (&*self.control).read(&mut segment) else { return };
                line.extend(segment[..len].iter().take_while(|&&byte| byte != b'\n'));
            } else if !matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
                return;
            }
            let line = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
            if self.command(&line).is_err() {
                return;
            }
        }
    }

    fn command(&mut self, line: &str) -> Result<(), Gone> {
        self.note('>', line);
        let (verb, arg) = line.split_once(' ').unwrap_or((line, ""));
        (self.verb, self.arg) = (verb.to_ascii_uppercase(), arg.to_owned());
        self.path = self.meant();
        if self.stage.script.short_rest && !matches!(self.verb.as_str(), "REST" | "RETR") {
            self.rest = 0;
        }
        match self.verb.as_str() {
            "USER" => self.user = self.arg.clone(),
            "PASS" => self.right = (&self.user, &self.arg) == (&self.stage.script.login.0, &self.stage.script.login.1),
            _ => {}
        }
        let stage = self.stage;
        let fits = |rule: &&Rule| {
            let named = rule.verb == self.verb || rule.verb == "*";
            named && rule.conditions.iter().all(|condition| self.holds(condition))
        };
        let Some(rule) = stage.script.rules.iter().find(fits) else { panic!("no rule for {line}") };
        self.follow(rule)
    }

    fn special(&mut self, name: &str) -> Result<(), Gone> {
        let stage = self.stage;
        match stage.script.rules.iter().find(|rule| rule.verb == name) {
            Some(rule) => self.follow(rule),
            None => Ok(()),
        }
    }

    fn holds(&self, condition: &str) -> bool {
        let found = self.stage.script.find(&self.path);
        match condition {
            "in" => self.logged_in,
            "out" => !self.logged_in,
            "right" => self.right,
            "wrong" => !self.right,
            "file" => matches!(found, Some((_, Node::File(..)))),
            "dir" => matches!(found, Some((_, Node::Dir))),
            "missing" => found.is_none(),
            "binary" => self.binary,
            "ascii" => !self.binary,
            "open" => self.listener.is_some(),
            "closed" => self.listener.is_none(),
            "beyond" => self.rest > self.content().len() as u64,
            text => {
                let (text, arg) = (text.trim_start_matches('"').to_ascii_lowercase(), self.arg.to_ascii_lowercase());
                text.strip_suffix('*').map_or(arg == text, |start| arg.starts_with(start))
            }
        }
    }

    /// What the argument means, without the options of LIST.
    fn meant(&self) -> String {
        let mut arg = self.arg.as_str();
        while self.verb == "LIST" && arg.starts_with('-') {
            arg = arg.split_once(' ').map_or("", |(_, rest)| rest);
        }
        match (self.verb.as_str(), arg) {
            ("CDUP", _) => format!("{}/..", self.cwd),
            (_, "") => self.cwd.clone(),
            (_, arg) if arg.starts_with('/') => arg.to_owned(),
            (_, arg) => format!("{}/{arg}", self.cwd.trim_end_matches('/')),
        }
    }

    fn content(&self) -> &[u8] {
        match self.stage.script.find(&self.path) {
            Some((_, Node::File(bytes, _))) => bytes,
            _ => b"",
        }
    }

    fn follow(&mut self, rule: &Rule) -> Result<(), Gone> {
        let mut offset = 0;
        for line in &rule.lines {
            let action = line.strip_prefix("> ");
            if action != Some("drain") {
                // A data connection that has been used.
                self.data = self.data.take().filter(|_| self.listener.is_some());
            }
            match action {
                None => self.say(&self.filled(line, offset))?,
                Some("login") => self.logged_in = true,
                Some("cwd") => self.cwd = self.stage.script.find(&self.path).ok_or(Gone)?.0,
                Some("binary") => self.binary = true,
                Some("ascii") => self.binary = false,
                Some("rest") => self.rest = self.arg.trim().parse().unwrap_or(0),
                Some("listen") => self.listen()?,
                Some("accept") => self.accept()?,
                Some("data FILE") => {
                    offset = std::mem::take(&mut self.rest);
                    let bytes = self.content().get(offset as usize..).unwrap_or_default().to_vec();
                    if !self.send(&bytes)? {
                        return self.special("early");
                    }
                }
                Some("drain") => {
                    if let Some(mut data) = self.data.take() {
                        let _ = data.read_to_end(&mut Vec::new());
                    }
                }
                Some("close") => return Err(Gone),
                Some(action) => {
                    let name = action.strip_prefix("data ").unwrap_or_else(|| panic!("no such action: {action}"));
                    let bytes = self.listing(name);
                    if !self.send(bytes.as_bytes())? {
                        return self.special("early");
                    }
                }
            }
        }
        self.data = self.data.take().filter(|_| self.listener.is_some());
        Ok(())
    }

    fn listing(&self, name: &str) -> String {
        let script = &self.stage.script;
        let Some((dir, _)) = script.find(&self.path) else { return String::new() };
        let lines = script.listings.get(&(name.to_owned(), dir));
        lines.into_iter().flatten().map(|line| format!("{line}{}", script.line_end)).collect()
    }

    fn filled(&self, line: &str, offset: u64) -> String {
        if !line.contains('{') {
            return line.to_owned();
        }
        let found = self.stage.script.find(&self.path);
        let absolute = found.as_ref().map_or_else(|| self.path.clone(), |(path, _)| path.clone());
        let mtime = if let Some((_, Node::File(_, mtime))) = found { mtime } else { "" };
        let size = self.content().len() as u64;
        let rest = offset.max(self.rest);
        let port = self.listener.as_ref().and_then(|listener| listener.local_addr().ok()).map_or(0, |at| at.port());
        let values = [
            ("{verb}", self.verb.clone()),
            ("{arg}", self.arg.clone()),
            ("{path}", absolute),
            ("{cwd}", self.cwd.clone()),
            ("{size}", size.to_string()),
            ("{mtime}", mtime.to_owned()),
            ("{rest}", rest.to_string()),
            ("{left}", size.saturating_sub(rest).to_string()),
            ("{facts}", self.stage.script.facts(&self.path)),
            ("{port}", port.to_string()),
            ("{pasv}", format!("127,0,0,1,{},{}", port >> 8, port & 255)),
        ];
        values.iter().fold(line.to_owned(), |line, (name, value)| line.replace(name, value))
    }

    fn say(&mut self, line: &str) -> Result<(), Gone> {
        self.note('<', line);
        (&*self.control).write_all(format!("{line}\r\n").as_bytes()).map_err(|_| Gone)
    }

    fn listen(&mut self) -> Result<(), Gone> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|_| Gone)?;
        // On Linux this limits accept().
        let _ = SockRef::from(&listener).set_read_timeout(Some(ACCEPT_PATIENCE));
        let second = listener.try_clone().map_err(|_| Gone)?;
        self.data = None;
        self.forget_listener();
        self.listener = Some(listener);
        if self.stage.watch(second.into()) { Ok(()) } else { Err(Gone) }
    }

    fn accept(&mut self) -> Result<(), Gone> {
        if self.data.is_none() {
            let (data, _) = self.listener.as_ref().ok_or(Gone)?.accept().map_err(|_| Gone)?;
            if !self.stage.watch(duplicate(&data)) {
                return Err(Gone);
            }
            self.data = Some(data);
        }
        Ok(())
    }

    /// Sends data and says that it is all; `false` if the client has closed before.
    fn send(&mut self, bytes: &[u8]) -> Result<bool, Gone> {
        self.accept()?;
        self.forget_listener();
        let Some(mut data) = self.data.as_ref() else { return Err(Gone) };
        let sent = data.write_all(bytes).is_ok();
        // The server watches a second descriptor: only this tells the client.
        let _ = data.shutdown(Shutdown::Write);
        Ok(sent)
    }

    /// Closes the port for all who hold it.
    fn forget_listener(&mut self) {
        if let Some(listener) = self.listener.take() {
            // An error means that the server is going and was faster.
            let _ = SockRef::from(&listener).shutdown(Shutdown::Both);
        }
    }

    fn note(&self, way: char, line: &str) {
        self.stage.note(format!("#{} {way} {line}", self.number));
    }
}
