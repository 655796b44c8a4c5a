//! The greeting and the login: `USER`, `PASS` and what the server says of them.

use std::io;

use super::classify::{GREETING, Verdict, classify};
use super::command::{Arg, Command, Password};
use super::connect::{Refusal, options};
use super::control::Control;
use super::dialect::{Can, Dialect};
use super::reply::{Class, Reply};
use crate::base::Deadline;
use crate::config::{Server, TlsMode};
use crate::remote::{Error, ErrorKind, Retry};

/// `USER`, `PASS`, `TYPE I` and what is known to be wanted, in one segment.
///
/// The first login goes line by line: a server that wants TLS refuses the user before the password has been sent in
/// the clear for nothing, and a wrong password is answered by the words that belong to it (pyftpdlib answers what
/// follows first).
pub(super) fn log_in(
    control: &mut Control,
    server: &Server,
    dialect: &Dialect,
    deadline: Deadline,
) -> Result<(), Refusal> {
    let bad = |what| Error::new(ErrorKind::LoginRefused, what).with_reply("it holds a line break");
    let user = Command::User(Arg::new(&server.user[..]).map_err(|_| bad("USER"))?);
    let pass = Command::Pass(Password::new(&server.password).map_err(|_| bad("PASS"))?);
    let features = dialect.features();
    let mut rest = control.protection();
    rest.push(Command::TypeImage);
    rest.extend(features.iter().flat_map(|f| options(f, server)));
    if dialect.ever_connected() && dialect.burst() != Can::No {
        let burst: Vec<_> = [user, pass].into_iter().chain(rest.iter().cloned()).collect();
        control.send(&burst, deadline)?;
        let user = control.reply("USER", deadline).map_err(refused_or_failed)?;
        let pass = control.reply("PASS", deadline).map_err(refused_or_failed)?;
        check_login(&user, Some(&pass))?;
        dialect.learn_burst(Can::Yes);
    } else {
        let user = control.transact(&user, deadline).map_err(refused_or_failed)?;
        let pass = match user.class() {
            Class::Intermediate => Some(control.transact(&pass, deadline).map_err(refused_or_failed)?),
            _ => None,
        };
        check_login(&user, pass.as_ref())?;
        control.send(&rest, deadline)?;
    }
    for command in &rest {
        let reply = control.reply(command.verb(), deadline)?;
        if matches!(command, Command::Prot { .. }) {
            check_protection(control, server, &reply)?;
        }
        if matches!(command, Command::TypeImage) && reply.class() != Class::Completion {
            return Err(Error::new(ErrorKind::Protocol, "TYPE").with_reply(reply.text()).into());
        }
    }
    Ok(())
}

/// Judges the reply to `PROT`: without it, data would travel in the clear, or not at all.
///
/// On an implicit connection a server takes `PROT P` for granted, and some refuse to hear of it.
fn check_protection(control: &Control, server: &Server, reply: &Reply) -> Result<(), Error> {
    if reply.class() == Class::Completion || server.tls.mode == TlsMode::Implicit {
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
                return Err(refused(GREETING, GREETING, &reply));
            }
        }
    }
}

/// While logging in, a 421 may speak of the number of connections; [`Control::reply`] has made an error of it.
fn refused_or_failed(error: Error) -> Refusal {
    if error.kind == ErrorKind::Busy {
        Refusal::TooMany(Error { kind: ErrorKind::Unreachable, ..error.with_retry(Retry::Never) })
    } else {
        Refusal::Failed(error)
    }
}

/// Judges the replies to `USER` and `PASS`: 230 to `USER` needs no password, and what `PASS` says then is of no account.
fn check_login(user: &Reply, pass: Option<&Reply>) -> Result<(), Refusal> {
    let judged = match (user.code.class(), pass) {
        (Class::Completion, _) => return Ok(()),
        (Class::Intermediate, Some(pass)) => pass,
        _ => user,
    };
    if judged.code.class() == Class::Completion {
        return Ok(());
    }
    let verb = if judged == user { "USER" } else { "PASS" };
    Err(refused(verb, "login", judged))
}

/// What the refusal of `verb` means while logging in, told as one of `what`.
fn refused(verb: &str, what: &'static str, reply: &Reply) -> Refusal {
    let error = |kind| Error::new(kind, what).with_reply(reply.text());
    match classify(verb, reply, b"") {
        Verdict::Sure(ErrorKind::Busy) => Refusal::TooMany(error(ErrorKind::Unreachable)),
        Verdict::Sure(kind) => Refusal::Failed(error(kind)),
        Verdict::Ambiguous => Refusal::Failed(error(ErrorKind::Protocol)),
    }
}
