//! The verbs of login, settings and reading. Those that write are in `writers` and `upload`.

use super::data::Source;
use super::fault::{End, Refusal};
use super::hub::Gone;
use super::listing::{self, Lines};
use super::personality::{Dialect, ListMissing, Mlsx, Names};
use super::session::{Session, Step};
use super::tree::{self, Why};
use super::words;
use super::writers::{site_name, split_word};

/// Verbs that would change something.
const WRITERS: [&str; 11] = ["STOR", "APPE", "ALLO", "DELE", "MKD", "XMKD", "RMD", "XRMD", "RNFR", "RNTO", "MFMT"];

impl Session {
    /// Does what a command asks for and answers it.
    pub(super) fn perform(&mut self, arg: &[u8]) -> Step {
        let verb = self.verb.clone();
        let me = &self.hub.personality;
        if !matches!(verb.as_str(), "REST" | "RETR" | "STOR" | "APPE") && me.rest_is_short_lived {
            self.rest = 0;
        }
        if verb != "RNTO" && me.dialect == Dialect::Ancient {
            self.renaming = None;
        }
        match verb.as_str() {
            "USER" => self.user(arg),
            "PASS" => self.pass(arg),
            "QUIT" => {
                self.answer("221 Goodbye.")?;
                Err(Gone(End::Fin))
            }
            "FEAT" => self.feat(),
            "NOOP" => self.answer("200 NOOP ok."),
            "SYST" => self.answer(self.hub.personality.syst.clone()),
            "OPTS" => self.opts(arg),
            "AUTH" => self.auth(arg),
            "PBSZ" if self.tls.is_some() => self.protection_buffer(),
            "PROT" if self.tls.is_some() => self.protection(arg),
            "ACCT" if self.account_wanted => self.account(arg),
            _ if !self.logged_in => self.answer("530 Please login with USER and PASS."),
            "TYPE" => self.data_type(arg),
            "MODE" if arg.eq_ignore_ascii_case(b"S") => self.answer("200 Mode set to S."),
            "STRU" if arg.eq_ignore_ascii_case(b"F") => self.answer("200 Structure set to F."),
            "PWD" | "XPWD" => self.pwd(),
            "CWD" | "XCWD" | "CDUP" => self.change_dir(arg),
            "EPSV" if self.hub.personality.epsv => self.extended_passive(arg),
            "PASV" if self.hub.personality.pasv => self.listen(false),
            "PORT" | "EPRT" => self.port(arg),
            "SIZE" if self.hub.personality.size => self.size(arg),
            "MDTM" if self.sets_time(arg).is_some() => self.set_modified(arg),
            "MDTM" if self.hub.personality.mdtm => self.modified(arg),
            "MLST" | "MLSD" => match self.hub.personality.mlsx.clone() {
                Some(mlsx) if verb == "MLST" => self.mlst(&mlsx, arg),
                Some(mlsx) => self.mlsd(&mlsx, arg),
                None => self.unknown(),
            },
            "LIST" => self.list(arg),
            "NLST" => self.names(),
            "STAT" => self.status(arg),
            "REST" => self.restart(arg),
            "RETR" => self.retrieve(arg),
            "ABOR" => self.abort(),
            verb if WRITERS.contains(&verb) || verb == "SITE" || verb.starts_with("SITE ") => self.write_or_refuse(arg),
            _ => self.unknown(),
        }
    }

    fn write_or_refuse(&mut self, arg: &[u8]) -> Step {
        match self.hub.personality.writing.clone() {
            Some(me) if self.verb.starts_with("SITE") => self.site(&me, arg),
            Some(me) => self.write_command(&me, arg),
            None if self.verb.starts_with("SITE") => self.unknown(),
            None => self.answer("550 Permission denied."),
        }
    }

    fn set_modified(&mut self, arg: &[u8]) -> Step {
        match (self.hub.personality.writing.clone(), self.sets_time(arg)) {
            (Some(me), Some(zone)) => self.set_time(arg, zone, &me),
            _ => self.unknown(),
        }
    }

    /// The path that a command means, for those that take one.
    pub(super) fn path_of(&self, verb: &str, arg: &[u8]) -> Option<Vec<u8>> {
        let arg = match verb {
            "LIST" | "NLST" | "STAT" => without_options(arg),
            "MDTM" if self.sets_time(arg).is_some() => split_word(arg)?.1,
            "CWD" | "XCWD" | "RETR" | "SIZE" | "MDTM" | "MLST" | "MLSD" => arg,
            "STOR" | "APPE" | "DELE" | "MKD" | "XMKD" | "RMD" | "XRMD" | "RNFR" | "RNTO" => arg,
            "MFMT" => split_word(arg)?.1,
            verb if verb.starts_with("SITE ") => site_name(verb, arg)?,
            "CDUP" => b"..",
            _ => return None,
        };
        Some(tree::join(&self.cwd, arg))
    }

    pub(super) fn here(&self) -> Vec<u8> {
        self.path.clone().unwrap_or_default()
    }

    pub(super) fn unknown(&mut self) -> Step {
        let text = words::unknown(self.hub.personality.dialect, &self.verb);
        self.answer(text)
    }

    fn refuse(&mut self, arg: &[u8], why: Why) -> Step {
        let dialect = self.hub.personality.dialect;
        self.answer(words::naming(arg, |name| words::refusal(dialect, &self.verb, name, why)))
    }

    fn user(&mut self, arg: &[u8]) -> Step {
        if self.logged_in {
            return self.answer("230 Already logged in.");
        }
        if let Some((text, end)) = self.must_be_secure() {
            self.answer(text)?;
            return if end == End::Keep { Ok(()) } else { Err(Gone(end)) };
        }
        self.user = String::from_utf8_lossy(arg).into_owned();
        if self.hub.personality.no_password {
            return self.enter();
        }
        self.answer("331 Please specify the password.")
    }

    fn pass(&mut self, arg: &[u8]) -> Step {
        if self.logged_in {
            return self.answer("230 Already logged in.");
        }
        if self.user.is_empty() {
            return self.answer("503 Login with USER first.");
        }
        let known = self.hub.personality.login.as_ref();
        if known.is_some_and(|(user, password)| *user != self.user || password.as_bytes() != arg) {
            return self.answer("530 Login incorrect.");
        }
        if self.hub.personality.account.is_some() {
            self.account_wanted = true;
            return self.answer("332 Need account for login.");
        }
        self.enter()
    }

    fn account(&mut self, arg: &[u8]) -> Step {
        if self.hub.personality.account.as_ref().is_none_or(|wanted| wanted.as_bytes() != arg) {
            return self.answer("530 Login incorrect.");
        }
        self.account_wanted = false;
        self.enter()
    }

    fn enter(&mut self) -> Step {
        let crowded = self.hub.update(|state| {
            let max = state.limit(Refusal::Pass530);
            let full = max.filter(|&max| state.peers.values().filter(|peer| peer.logged_in).count() >= max);
            if let (None, Some(peer)) = (full, state.peers.get_mut(&self.id)) {
                peer.logged_in = true;
            }
            full
        });
        if let Some(max) = crowded {
            return self.answer(words::crowded_login(max));
        }
        self.logged_in = true;
        self.answer("230 Login successful.")
    }

    fn feat(&mut self) -> Step {
        let me = &self.hub.personality;
        let Some(lines) = &me.feat else { return self.unknown() };
        let body: String = lines.iter().filter(|line| me.has(line)).map(|line| format!(" {line}\n")).collect();
        self.answer(format!("211-Features:\n{body}211 End"))
    }

    fn opts(&mut self, arg: &[u8]) -> Step {
        let text = String::from_utf8_lossy(arg).into_owned();
        let (what, rest) = text.split_once(' ').unwrap_or((&text, ""));
        match (what.to_ascii_uppercase().as_str(), self.hub.personality.mlsx.clone()) {
            ("UTF8", _) if self.hub.personality.names != Names::Bytes && rest.eq_ignore_ascii_case("OFF") => {
                self.utf8 = false;
                self.answer("200 OPTS UTF8 command successful - UTF8 encoding now OFF.")
            }
            ("UTF8", _) => {
                self.utf8 = true;
                self.answer(match self.hub.personality.dialect {
                    Dialect::Iis => "200 OPTS UTF8 command successful - UTF8 encoding now ON.",
                    Dialect::Proftpd => "200 UTF8 set to on",
                    Dialect::Pureftpd => "504 Unknown command",
                    Dialect::Ancient => "501 No options are available.",
                    Dialect::Vsftpd | Dialect::Pyftpdlib => "200 Always in UTF8 mode.",
                })
            }
            ("MLST", Some(mlsx)) => {
                if mlsx.opts {
                    self.facts = listing::chosen_facts(&mlsx, rest);
                }
                let facts: String = self.facts.iter().map(|fact| format!("{fact};")).collect();
                self.answer(format!("200 MLST OPTS {facts}"))
            }
            _ => self.answer("501 Option not understood."),
        }
    }

    fn data_type(&mut self, arg: &[u8]) -> Step {
        match arg.first().map(u8::to_ascii_uppercase) {
            Some(b'I') => {
                self.binary = true;
                self.answer("200 Switching to Binary mode.")
            }
            Some(b'A') => {
                self.binary = !self.hub.personality.ascii;
                self.answer("200 Switching to ASCII mode.")
            }
            _ => self.answer("500 Unrecognised TYPE command."),
        }
    }

    fn pwd(&mut self) -> Step {
        let mut text = b"257 \"/".to_vec();
        for &byte in &self.cwd {
            text.push(byte);
            // Pure-FTPd alone does not double quotes.
            if byte == b'"' && self.hub.personality.dialect != Dialect::Pureftpd {
                text.push(byte);
            }
        }
        text.extend_from_slice(b"\" is the current directory");
        self.answer(text)
    }

    fn change_dir(&mut self, arg: &[u8]) -> Step {
        let path = self.here();
        let found = self.hub.tree.lock().find(&path, true).and_then(|node| match (node.is_dir(), node.mode & 0o100) {
            (false, _) => Err(Why::NotDir),
            (true, 0) => Err(Why::Denied),
            (true, _) => Ok(()),
        });
        match found {
            Err(why) => self.refuse(arg, why),
            Ok(()) => {
                let text = words::naming(&path, |name| words::changed(self.hub.personality.dialect, name));
                self.cwd = path;
                self.answer(text)
            }
        }
    }

    fn extended_passive(&mut self, arg: &[u8]) -> Step {
        let family: &[u8] = if self.hub.personality.ipv6 { b"2" } else { b"1" };
        match arg {
            b"" => self.listen(true),
            arg if arg == family => self.listen(true),
            b"1" | b"2" => self.answer("522 Bad network protocol."),
            arg if arg.eq_ignore_ascii_case(b"ALL") => self.answer("200 EPSV ALL ok."),
            _ => self.answer("501 Bad network protocol."),
        }
    }

    fn size(&mut self, arg: &[u8]) -> Step {
        if !self.binary {
            return self.answer("550 SIZE not allowed in ASCII mode");
        }
        let found = self.hub.tree.lock().regular(&self.here()).map(|(node, _)| node.size());
        match found {
            Ok(size) => self.answer(format!("213 {size}")),
            Err(why) => self.refuse(arg, why),
        }
    }

    fn modified(&mut self, arg: &[u8]) -> Step {
        let found = self.hub.tree.lock().regular(&self.here()).map(|(node, _)| node.mtime);
        match found {
            Ok(mtime) => self.answer(format!("213 {}", listing::stamp(mtime + self.hub.personality.mdtm_zone))),
            Err(why) => self.refuse(arg, why),
        }
    }

    fn mlst(&mut self, mlsx: &Mlsx, arg: &[u8]) -> Step {
        let path = self.here();
        let found = listing::mlst(mlsx, &self.facts, &self.hub.tree.lock(), &path);
        match found {
            Ok(facts) => {
                let name = [b"/", path.as_slice()].concat();
                let text = [b"250-Start of list\n ", facts.as_bytes(), b" ", &name, b"\n250 End of list"].concat();
                self.answer(text)
            }
            Err(why) => self.refuse(arg, why),
        }
    }

    fn mlsd(&mut self, mlsx: &Mlsx, arg: &[u8]) -> Step {
        let me = &self.hub.personality;
        let found = listing::mlsd(me, mlsx, &self.facts, &self.hub.tree.lock(), &self.here());
        match found {
            Ok(lines) => self.send_lines(&lines),
            Err(why) => self.refuse(arg, why),
        }
    }

    fn list(&mut self, arg: &[u8]) -> Step {
        let me = &self.hub.personality;
        let now = self.now();
        let options = &arg[..arg.len() - without_options(arg).len()];
        let all = options.contains(&b'a');
        let path = self.here();
        let found = listing::list(me, now, &self.hub.tree.lock(), &path, all);
        match found {
            Ok(lines) => self.send_lines(&lines),
            Err(why) => self.list_nothing(&path, why),
        }
    }

    fn list_nothing(&mut self, path: &[u8], why: Why) -> Step {
        let text =
            |start: &str, end: &str| words::naming(path, |name| format!("{start}{name}: {}{end}", words::cause(why)));
        match self.hub.personality.list_missing {
            ListMissing::Refused => self.refuse(path, why),
            ListMissing::Nothing => self.send_bytes(b"", "226 Directory send OK."),
            ListMissing::After150 => self.send_bytes(b"", text("450 ", "")),
            ListMissing::AsData => self.send_bytes(&text("", "\n"), "226 Transfer complete."),
        }
    }

    fn names(&mut self) -> Step {
        let path = self.here();
        let found = listing::nlst(&self.hub.tree.lock(), &path);
        match found {
            Ok(lines) => self.send_lines(&lines),
            Err(why) => self.list_nothing(&path, why),
        }
    }

    fn send_lines(&mut self, lines: &Lines) -> Step {
        let closing = match (self.hub.personality.dialect, lines.truncated) {
            (_, true) => format!("226 Output truncated to {} matches", lines.names),
            (Dialect::Pureftpd, false) => format!("226 {} matches total", lines.names),
            (Dialect::Vsftpd, false) => "226 Directory send OK.".to_owned(),
            _ => "226 Transfer complete".to_owned(),
        };
        self.send_bytes(&lines.bytes, &closing)
    }

    fn send_bytes(&mut self, lines: &[u8], closing: impl AsRef<[u8]>) -> Step {
        let bytes = [self.foreign_lines(), self.on_wire(lines).into_owned()].concat();
        self.transfer(Source::Lines(bytes), b"150 Here comes the directory listing.", closing.as_ref())
    }

    fn status(&mut self, arg: &[u8]) -> Step {
        if arg.is_empty() {
            return self.answer("211-FTP server status:\n     Connected, a fake\n211 End of status");
        }
        let found = listing::list(&self.hub.personality, 0, &self.hub.tree.lock(), &self.here(), true);
        let mut lines = found.map_or_else(|_| Vec::new(), |lines| lines.bytes);
        lines.retain(|&byte| byte != b'\r');
        self.answer([b"213-Status follows:\n", &lines[..], b"213 End of status"].concat())
    }

    fn restart(&mut self, arg: &[u8]) -> Step {
        match std::str::from_utf8(arg).ok().and_then(|text| text.trim().parse().ok()) {
            Some(offset) => {
                self.rest = offset;
                self.answer(format!("350 Restart position accepted ({offset})."))
            }
            None => self.answer("501 REST requires a value greater than or equal to 0"),
        }
    }

    fn retrieve(&mut self, arg: &[u8]) -> Step {
        let path = self.here();
        // The offset is gone after a RETR, done or failed.
        let offset = std::mem::take(&mut self.rest);
        let unique = self.hub.tree.lock().regular(&path).map(|(node, _)| node.unique);
        if let Ok(unique) = unique {
            self.lock_file(unique, false)?;
        }
        let done = self.retrieve_from(path, offset, arg);
        self.close_file();
        done
    }

    fn retrieve_from(&mut self, path: Vec<u8>, offset: u64, arg: &[u8]) -> Step {
        let found = self.hub.tree.lock().regular(&path).and_then(|(node, content)| match node.mode & 0o400 {
            0 => Err(Why::Denied),
            _ => Ok((node.unique, content.clone())),
        });
        let me = &self.hub.personality;
        match found {
            Err(why) => {
                self.lose_passive();
                self.refuse(arg, why)
            }
            Ok((_, content)) if offset > content.len() && me.rest_refused_beyond_end => {
                let text = words::naming(arg, |name| words::beyond_end(me.dialect, name, offset, content.len()));
                self.lose_passive();
                self.answer(text)
            }
            Ok((unique, content)) => {
                let left = content.len().saturating_sub(offset);
                let opening = words::naming(arg, |name| {
                    format!("150 Opening BINARY mode data connection for {name} ({left} bytes).")
                });
                let source = Source::File { path, unique, content, offset };
                self.transfer(source, &opening, b"226 Transfer complete.")
            }
        }
    }

    fn abort(&mut self) -> Step {
        self.lose_passive();
        self.answer("225 No transfer to ABOR.")
    }

    pub(super) fn lose_passive(&mut self) {
        if self.hub.personality.failure_drops_passive {
            self.drop_passive();
        }
    }
}

/// An argument of LIST without the words in front that begin with `-`.
fn without_options(mut arg: &[u8]) -> &[u8] {
    while arg.starts_with(b"-") {
        let end = arg.iter().position(|&byte| byte == b' ').map_or(arg.len(), |space| space + 1);
        arg = &arg[end..];
    }
    arg
}
