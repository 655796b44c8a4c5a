//! The greeting and the login: `USER`, `PASS`, `ACCT` and what the server says of them.

use std::error::Error as StdError;
use std::fmt;

use std::io;

use super::classify::{GREETING, Verdict, classify};
use super::command::{Arg, Command, Password};
use super::connect::{Refusal, options};
use super::control::Control;
use super::dialect::{Can, Dialect, Skill};
use super::door::{Closed, Door, Knock};
use super::encoding::Codec;
use super::reply::{Class, Reply};
use crate::base::{Deadline, Secret};
use crate::config::TlsMode;
use crate::remote::{Error, ErrorKind, Retry};

/// Who wants to log in, and what is known of how.
pub(super) struct Login<'a> {
    pub(super) user: &'a [u8],
    pub(super) password: &'a Secret,
    /// For servers that ask for one by 332 (RFC 959 5.4).
    pub(super) account: Option<&'a Secret>,
    pub(super) tls: TlsMode,
    /// How names are sent.
    pub(super) names: Codec,
    pub(super) dialect: &'a Dialect,
    pub(super) door: &'a Door,
}

impl Login<'_> {
    /// `USER`, `PASS`, `TYPE I` and what is known to be wanted, in one segment.
    ///
    /// The first login goes line by line: a server that wants TLS refuses the user before the password has been sent in
    /// the clear for nothing, and a wrong password is answered by the words that belong to it (pyftpdlib answers what
    /// follows first).
    pub(super) fn run(&self, control: &mut Control, deadline: Deadline) -> Result<(), Refusal> {
        let bad = |what| Error::new(ErrorKind::LoginRefused, what).with_reply("it holds a line break");
        let user = Command::User(Arg::new(self.user).map_err(|_| bad("USER"))?);
        let pass = Command::Pass(Password::new(self.password).map_err(|_| bad("PASS"))?);
        let account = self.account.map(|a| Password::new(a).map_err(|_| bad("ACCT"))).transpose()?.map(Command::Acct);
        let features = self.dialect.features();
        let mut rest = control.protection();
        rest.push(Command::TypeImage);
        rest.extend(features.iter().flat_map(|f| options(f, self.names)));
        let mut knock = self.door.knock(deadline)?;
        let bursts = self.dialect.burst() != Can::No && self.dialect.can(Skill::LoginBurst) != Can::No;
        let in_one_burst = self.dialect.ever_connected() && bursts;
        let answered = if in_one_burst {
            let burst: Vec<_> = [user, pass].into_iter().chain(rest.iter().cloned()).collect();
            self.in_one_burst(control, &burst, &mut knock, deadline)
        } else {
            self.line_by_line(control, [Some(user), Some(pass), account], &mut knock, deadline)
        };
        match answered {
            Ok(()) => knock.opened(),
            Err(Refusal::Failed(e)) if matches!(e.kind, ErrorKind::LoginRefused | ErrorKind::TlsRequired) => {
                knock.refused(&e);
                return Err(e.into());
            }
            Err(other) => return Err(other),
        }
        if !in_one_burst {
            control.send(&rest, deadline)?;
        }
        for command in &rest {
            let reply = control.reply(command.verb(), deadline)?;
            if matches!(command, Command::Prot { .. }) {
                check_protection(control, self.tls, &reply)?;
            }
            if matches!(command, Command::TypeImage) && reply.class() != Class::Completion {
                return Err(Error::new(ErrorKind::Protocol, "TYPE").with_reply(reply.text()).into());
            }
        }
        Ok(())
    }

    fn in_one_burst(
        &self,
        control: &mut Control,
        burst: &[Command<'_>],
        knock: &mut Knock<'_>,
        deadline: Deadline,
    ) -> Result<(), Refusal> {
        knock.sent();
        control.send(burst, deadline)?;
        let user = control.reply("USER", deadline).map_err(refused_or_failed)?;
        let pass = control.reply("PASS", deadline).map_err(refused_or_failed)?;
        let (verb, judged) = match (user.class(), user.code.get()) {
            // What PASS says then is of no account.
            (Class::Completion, _) => ("USER", &user),
            (Class::Intermediate, code) if code != ACCOUNT_WANTED => ("PASS", &pass),
            _ => ("USER", &user),
        };
        if judged.code.get() == ACCOUNT_WANTED {
            // It did not want one before. What follows in the burst has been refused.
            self.dialect.learn(Skill::LoginBurst, Can::No);
            return Err(Error::new(ErrorKind::Protocol, "ACCT").with_reply(judged.text()).into());
        }
        if judged.class() != Class::Completion {
            return Err(self.refused(verb, judged));
        }
        self.dialect.learn(Skill::LoginBurst, Can::Yes);
        Ok(())
    }

    /// RFC 959 5.4: 331 asks for `PASS`, 332 for `ACCT`, after `USER` as well as after `PASS`. Each is sent once at most.
    fn line_by_line(
        &self,
        control: &mut Control,
        [mut user, mut pass, mut account]: [Option<Command<'_>>; 3],
        knock: &mut Knock<'_>,
        deadline: Deadline,
    ) -> Result<(), Refusal> {
        let mut next = user.take();
        let mut last = None;
        while let Some(command) = next {
            if matches!(command, Command::Pass(_)) {
                knock.sent();
            }
            let reply = control.transact(&command, deadline).map_err(refused_or_failed)?;
            next = match (reply.class(), reply.code.get()) {
                // 202 is as good as 230: superfluous here.
                (Class::Completion, _) => return Ok(()),
                (Class::Intermediate, ACCOUNT_WANTED) => {
                    self.dialect.learn(Skill::LoginBurst, Can::No);
                    account.take()
                }
                (Class::Intermediate, _) => pass.take(),
                _ => None,
            };
            last = Some((command.verb(), reply));
        }
        let (verb, reply) = last.expect("USER has been sent");
        Err(self.refused(verb, &reply))
    }

    fn refused(&self, verb: &str, reply: &Reply) -> Refusal {
        match refused(verb, "login", reply, self.user) {
            Refusal::Failed(e) if reply.code.get() == ACCOUNT_WANTED && self.account.is_none() => {
                Refusal::Failed(e.because(Hint::Account))
            }
            other => other,
        }
    }
}

/// Judges the reply to `PROT`: without it, data would travel in the clear, or not at all.
///
/// On an implicit connection a server takes `PROT P` for granted, and some refuse to hear of it.
fn check_protection(control: &Control, mode: TlsMode, reply: &Reply) -> Result<(), Error> {
    if reply.class() == Class::Completion || mode == TlsMode::Implicit {
        return Ok(());
    }
    let text = if control.data_session().is_some() {
        format!("the server does not encrypt data connections: {} (ssl_control would accept it)", reply.text())
    } else {
        format!("the server insists on encrypted data connections: {} (leave out ssl_control)", reply.text())
    };
    Err(Error::new(ErrorKind::TlsRefused, "PROT").because(io::Error::new(io::ErrorKind::ConnectionRefused, text)))
}

/// Reads the greeting; 120 promises another one (RFC 959 5.4).
pub(super) fn greet(control: &mut Control, deadline: Deadline) -> Result<Reply, Refusal> {
    loop {
        let reply = control.reply(GREETING, deadline).map_err(refused_or_failed)?;
        match reply.code.class() {
            Class::Preliminary => {}
            Class::Completion => return Ok(reply),
            Class::Intermediate | Class::Transient | Class::Permanent => {
                return Err(refused(GREETING, GREETING, &reply, b""));
            }
        }
    }
}

impl From<Closed> for Refusal {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Refused(error) => Self::Known(error),
            Closed::TimedOut(error) => Self::Failed(error),
        }
    }
}

/// While logging in, a 421 may speak of the number of connections; [`Control::reply`] has made an error of it.
pub(super) fn refused_or_failed(error: Error) -> Refusal {
    match error.kind {
        ErrorKind::Busy => Refusal::TooMany(Error { kind: ErrorKind::Unreachable, ..error.with_retry(Retry::Never) }),
        ErrorKind::TlsRequired => Refusal::Failed(Error { verb: "login", ..error.because(Hint::Tls) }),
        _ => Refusal::Failed(error),
    }
}

/// What the refusal of `verb` means while logging in as `user`, told as one of `what`.
fn refused(verb: &str, what: &'static str, reply: &Reply, user: &[u8]) -> Refusal {
    let error = |kind| Error::new(kind, what).with_reply(reply.text());
    match classify(verb, reply, user) {
        Verdict::Sure(ErrorKind::Busy) => Refusal::TooMany(error(ErrorKind::Unreachable)),
        Verdict::Sure(ErrorKind::TlsRequired) => Refusal::Failed(error(ErrorKind::TlsRequired).because(Hint::Tls)),
        Verdict::Sure(kind) => Refusal::Failed(error(kind)),
        Verdict::Ask(_) => Refusal::Failed(error(ErrorKind::Protocol)),
    }
}

/// What the user can do about a refusal.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hint {
    Tls,
    Account,
    ClearData,
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "use ftpes:// or -o tls=require",
            Self::Account => "the server wants an account as well: use -o account=NAME",
            Self::ClearData => "leave out ssl_control",
        })
    }
}

impl StdError for Hint {}

/// The reply that asks for `ACCT`.
const ACCOUNT_WANTED: u16 = 332;

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use super::super::socket::Socket;
    use super::*;
    use crate::base::SystemClock;

    type Answers<'a> = &'a [(&'a str, &'a str)];

    /// A login at a server that knows these answers, each to one verb; 200 to all others. What was sent, and how it went.
    fn play(answers: Answers<'_>, account: Option<&str>, dialect: &Arc<Dialect>) -> (Vec<String>, Result<(), Error>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let stream = TcpStream::connect(listener.local_addr().expect("bound")).expect("a connection");
        let (password, account) = (Secret::new(b"p".to_vec()), account.map(|a| Secret::new(a.as_bytes().to_vec())));
        thread::scope(|scope| {
            let server = scope.spawn(|| serve(&listener.accept().expect("a client").0, answers));
            let deadline = Deadline::after(Duration::from_secs(10));
            let socket = Socket::new(stream).expect("a socket");
            let mut control = Control::new(socket, Arc::clone(dialect), 1).expect("a control connection");
            let door = Door::new(Arc::new(SystemClock));
            let tls = TlsMode::Off;
            let login = Login {
                user: b"u",
                password: &password,
                account: account.as_ref(),
                tls,
                names: Codec::default(),
                dialect,
                door: &door,
            };
            let done = greet(&mut control, deadline).and_then(|_| login.run(&mut control, deadline));
            drop(control);
            let done = done.map_err(|refusal| match refusal {
                Refusal::TooMany(e) | Refusal::Known(e) | Refusal::Failed(e) => e,
            });
            (server.join().expect("the server ends"), done)
        })
    }

    fn serve(stream: &TcpStream, answers: Answers<'_>) -> Vec<String> {
        let answer = |verb: &str| answers.iter().find(|(v, _)| *v == verb).map(|(_, text)| *text);
        let say = |text: &str| (&mut &*stream).write_all(format!("{text}\r\n").as_bytes());
        say(answer("").unwrap_or("220 Hello")).expect("the client listens");
        let mut sent = Vec::new();
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { break };
            let verb = line.split(' ').next().unwrap_or_default();
            if say(answer(verb).unwrap_or("200 Fine")).is_err() {
                break;
            }
            sent.push(line);
        }
        sent
    }

    #[test]
    fn each_part_is_sent_where_it_is_asked_for() {
        let table: &[(Answers<'_>, Option<&str>, &[&str])] = &[
            (&[("USER", "331 Password"), ("PASS", "230 In")], None, &["USER u", "PASS p", "TYPE I"]),
            // No password is sent where none is wanted.
            (&[("USER", "230-Welcome\r\n to us\r\n230 In")], Some("a"), &["USER u", "TYPE I"]),
            (&[("USER", "331 Password"), ("PASS", "202 Superfluous")], None, &["USER u", "PASS p", "TYPE I"]),
            (
                &[("USER", "331 Password"), ("PASS", "332 Account"), ("ACCT", "230 In")],
                Some("a"),
                &["USER u", "PASS p", "ACCT a", "TYPE I"],
            ),
            (&[("USER", "332 Account"), ("ACCT", "202 In")], Some("a"), &["USER u", "ACCT a", "TYPE I"]),
            (
                &[("USER", "332 Account"), ("ACCT", "331 Password"), ("PASS", "230 In")],
                Some("a"),
                &["USER u", "ACCT a", "PASS p", "TYPE I"],
            ),
            (
                &[("", "120-Soon\r\n120 ready\r\n220-Hello\r\n 220 you\r\n220 all"), ("USER", "230 In")],
                None,
                &["USER u", "TYPE I"],
            ),
        ];
        for (answers, account, want) in table {
            let (sent, done) = play(answers, *account, &Arc::default());
            assert!(done.is_ok(), "{answers:?}: {done:?}");
            assert_eq!(sent, *want);
        }
    }

    #[test]
    fn an_account_is_asked_of_the_user_who_gave_none() {
        for answers in [&[("USER", "331 Password"), ("PASS", "332 Account")][..], &[("USER", "332 Account")]] {
            let (_, done) = play(answers, None, &Arc::default());
            let error = done.expect_err("no account");
            assert_eq!(error.kind, ErrorKind::LoginRefused);
            assert!(error.to_string().contains("-o account=NAME"), "{error}");
        }
        // One that is refused, or asked for again and again, is not sent twice.
        for answer in ["530 Wrong account", "332 Account"] {
            let (sent, done) = play(
                &[("USER", "331 Password"), ("PASS", "332 Account"), ("ACCT", answer)],
                Some("a"),
                &Arc::default(),
            );
            assert_eq!(sent, ["USER u", "PASS p", "ACCT a"]);
            assert!(!done.expect_err("refused").to_string().contains("-o account"));
        }
    }

    #[test]
    fn a_server_that_wants_an_account_is_logged_in_to_line_by_line() {
        let dialect = Arc::<Dialect>::default();
        let answers = [("USER", "331 Password"), ("PASS", "332 Account"), ("ACCT", "230 In")];
        for _ in 0..2 {
            let (sent, done) = play(&answers, Some("a"), &dialect);
            assert!(done.is_ok(), "{done:?}");
            assert_eq!(sent, ["USER u", "PASS p", "ACCT a", "TYPE I"]);
            dialect.learn_connected();
        }
    }

    #[test]
    fn a_server_that_begins_to_want_an_account_gets_it_the_next_time() {
        let dialect = Arc::<Dialect>::default();
        dialect.learn_connected();
        let answers = [("USER", "331 Password"), ("PASS", "332 Account"), ("ACCT", "230 In")];
        assert_eq!(play(&answers, Some("a"), &dialect).1.expect_err("too late").kind, ErrorKind::Protocol);
        assert!(play(&answers, Some("a"), &dialect).1.is_ok());
    }

    #[test]
    fn what_to_do_about_a_server_that_wants_tls_is_said_in_one_line() {
        for answers in [
            [("USER", "530 Non-anonymous sessions must use encryption.")],
            [("USER", "550 SSL/TLS required on the control channel")],
            [("USER", "421-Sorry, cleartext sessions and weak ciphers are not accepted on this server.\r\n421 Please")],
            [("USER", "534-Policy requires SSL.\r\n Win32 error\r\n534 End")],
            [("USER", "503 Use AUTH first.")],
        ] {
            let (sent, done) = play(&answers, None, &Arc::default());
            let error = done.expect_err("no TLS");
            assert_eq!(error.kind, ErrorKind::TlsRequired, "{error}");
            assert!(error.to_string().starts_with("login: the server wants TLS (server: "), "{error}");
            assert!(error.to_string().ends_with("(use ftpes:// or -o tls=require)"), "{error}");
            assert_eq!(sent, ["USER u"], "the password stays here");
        }
    }
}
