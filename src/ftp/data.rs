//! Data channels: a port by `EPSV` or `PASV`, and the TCP connection to it.

use std::net::{IpAddr, SocketAddr};

use log::{debug, info};

use super::address::{parse_epsv, parse_pasv};
use super::classify::{Verdict, classify, refusal};
use super::command::Command;
use super::control::Control;
use super::dialect::{Can, Skill};
use super::reply::{Class, Reply};
use super::socket::{Dialer, Socket};
use crate::base::Deadline;
use crate::remote::{Error, ErrorKind, Result, Retry};

/// A data channel that is connected and has carried nothing yet, and the replies to the commands sent with `EPSV`.
pub(crate) struct Opened {
    pub(crate) data: Socket,
    pub(crate) replies: Vec<Reply>,
}

/// Sends `before` and `EPSV` (or `PASV`) in one segment and connects.
///
/// The channel goes to the control connection's own peer, whatever address a 227 names: that is right behind NAT, and a
/// hostile server cannot send us elsewhere. `before` holds only commands that need no data channel.
pub(crate) fn open(
    control: &mut Control,
    dialer: &dyn Dialer,
    before: &[Command<'_>],
    deadline: Deadline,
    connect: Deadline,
) -> Result<Opened> {
    if control.dialect().can(Skill::Epsv) == Can::No {
        let (reply, replies) = ask(control, before, Command::Pasv, deadline)?;
        let data = dial(control, dialer, passive_port(&reply)?, deadline.min(connect))?;
        return Ok(Opened { data, replies });
    }
    let (reply, replies) = ask(control, before, Command::Epsv, deadline)?;
    if reply.code.class() == Class::Completion {
        let port = parse_epsv(&reply).ok_or_else(|| unreadable("EPSV", &reply))?;
        match dial(control, dialer, port, deadline.min(connect)) {
            Ok(data) => {
                control.dialect().learn(Skill::Epsv, Can::Yes);
                return Ok(Opened { data, replies });
            }
            // Some firewalls open only the ports that they read in a 227.
            Err(e) if control.dialect().can(Skill::Epsv) == Can::Unknown && !deadline.passed() => {
                info!("the port of EPSV cannot be reached ({e}): trying PASV");
            }
            Err(e) => return Err(e),
        }
    } else {
        debug!("no EPSV here");
    }
    let for_good = !matches!(reply.class(), Class::Transient);
    let (reply, _) = ask(control, &[], Command::Pasv, deadline)?;
    let data = dial(control, dialer, passive_port(&reply)?, deadline.min(connect))?;
    if for_good {
        control.dialect().learn(Skill::Epsv, Can::No);
    }
    Ok(Opened { data, replies })
}

fn ask(
    control: &mut Control,
    before: &[Command<'_>],
    passive: Command<'_>,
    deadline: Deadline,
) -> Result<(Reply, Vec<Reply>)> {
    let mut commands = before.to_vec();
    commands.push(passive);
    let mut replies = control.pipeline(&commands, deadline)?;
    let reply = replies.pop().expect("one reply for each command, and at least one was sent");
    Ok((reply, replies))
}

fn passive_port(reply: &Reply) -> Result<u16> {
    match reply.code.class() {
        Class::Completion => match parse_pasv(reply) {
            Some((_, port)) => Ok(port),
            None => Err(unreadable("PASV", reply)),
        },
        _ => {
            let kind = match classify("PASV", reply, b"") {
                Verdict::Sure(kind) => kind,
                Verdict::Ask(_) => ErrorKind::Protocol,
            };
            Err(refusal("PASV", reply, kind))
        }
    }
}

fn dial(control: &Control, dialer: &dyn Dialer, port: u16, deadline: Deadline) -> Result<Socket> {
    let peer: IpAddr = control.peer();
    dialer
        .dial(SocketAddr::new(peer, port), deadline)
        .map_err(|e| Error::io("data connection", e).with_retry(Retry::IfReused))
}

fn unreadable(verb: &'static str, reply: &Reply) -> Error {
    Error::new(ErrorKind::Protocol, verb).with_reply(reply.text())
}
