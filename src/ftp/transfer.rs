//! A `RETR` under way.

use std::time::Duration;

use log::{debug, info};

use super::channel::Begun;
use super::classify::{Verdict, classify, knows, refusal};
use super::command::{Arg, Command};
use super::control::Control;
use super::data::Opener;
use super::dialect::{Can, Dialect, Skill};
use super::listing::mlsd::parse_mlst;
use super::listing::time::parse_size;
use super::pool::Lease;
use super::reply::{Class, Reply};
use super::socket::Socket;
use crate::base::Deadline;
use crate::remote::{Download, Error, ErrorKind, Meta, Result, Retry, Version};

/// A file on its way here: owns its control connection until the final reply.
pub(crate) struct Retr {
    lease: Lease,
    data: Option<Socket>,
    version: Option<Version>,
    state: State,
    /// Bytes still to be thrown away, where the server cannot start in the middle.
    skip: u64,
    /// Some byte has arrived.
    brought: bool,
    /// The data was encrypted, but not in the control connection's session, and empty.
    unresumed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Flowing,
    /// The data has ended; the final reply has not been read.
    Ended,
    /// Data and reply are complete.
    Done,
}

/// Begins to send the file `arg` from byte `from`: the questions for its version, `REST` and `RETR`, all in one flight
/// where a data channel is open already, else behind one with `EPSV`.
pub(crate) fn retrieve(
    mut lease: Lease,
    opener: &Opener<'_>,
    arg: &Arg<'_>,
    from: u64,
    deadline: Deadline,
) -> std::result::Result<Box<dyn Download>, Failed> {
    let control = lease.control_mut();
    let asks = version_commands(control, arg, deadline)?;
    let rest = from > 0 && control.dialect().can(Skill::Rest) != Can::No;
    let mut commands = Vec::with_capacity(2);
    if rest {
        commands.push(Command::Rest(from));
    }
    commands.push(Command::Retr(arg.clone()));
    let Begun { before, reply, data } = opener.begin(control, &asks, &commands, deadline)?;
    let (told, moves) = before.split_at(asks.len());
    let version = read_version(control.dialect(), &asks, told);
    let moved = if let Some(reply) = moves.first() {
        let moved = reply.code.class() == Class::Intermediate;
        if !moved && !matches!(reply.code.get(), 500 | 502 | 504) {
            // Not for ever, perhaps: the transfer that now begins at the wrong place is given up.
            let error = refusal("REST", reply, ErrorKind::Unreachable);
            return Err(Failed::Error(error.with_retry(Retry::Safe)));
        }
        if !moved {
            debug!("the server cannot restart a transfer ({}): reading from the beginning", reply.text());
            control.dialect().hear("REST", reply);
        }
        moved
    } else {
        false
    };
    let state = match reply.code.class() {
        Class::Preliminary => State::Flowing,
        // Pure-FTPd: `226 Nothing left to download`.
        Class::Completion => State::Done,
        _ => return Err(Failed::said(lease, reply, moved)),
    };
    let data = data.filter(|_| state == State::Flowing);
    let denied =
        |(ask, reply): (&Command<'_>, &Reply)| matches!(ask, Command::Mlst(_)) && reply.class() == Class::Permanent;
    if version.is_some() && asks.iter().any(|ask| matches!(ask, Command::Mlst(_))) {
        lease.control_mut().dialect().learn(Skill::MlstFiles, Can::Yes);
    }
    let told_before = lease.control_mut().dialect().can(Skill::MlstFiles) == Can::Yes;
    // Where it has told of files, this one may have come into being between the two questions.
    if !told_before && asks.iter().zip(told).any(denied) {
        // uftpd 2.13: `550 No such file or directory.` for every file. Others know MLSD alone.
        info!("the server sends a file of which MLST says nothing: SIZE from now on");
        lease.control_mut().dialect().learn(Skill::Mlst, Can::No);
    }
    let skip = if moved { 0 } else { from };
    Ok(Box::new(Retr { lease, data, version, state, skip, brought: false, unresumed: false }))
}

/// Why a transfer did not begin.
pub(crate) enum Failed {
    /// The server refused: the connection is in step and goes back to the pool.
    Said(Reply),
    /// Anything else.
    Error(Error),
}

impl Failed {
    /// `moved`: the server has an offset that its next transfer might begin at; measured ones forget it, others may not.
    fn said(lease: Lease, reply: Reply, moved: bool) -> Self {
        // 425: this data channel cannot be used, and neither may be the next one of this connection.
        if reply.code.get() == 425 {
            return Self::Error(refusal("RETR", &reply, ErrorKind::Unreachable).with_retry(Retry::Safe));
        }
        if !moved {
            lease.put_back();
        }
        Self::Said(reply)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Download for Retr {
    fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }

    fn round_trip(&self) -> Option<Duration> {
        self.data.as_ref().and_then(Socket::round_trip)
    }

    fn read(&mut self, buf: &mut [u8], deadline: Deadline) -> Result<usize> {
        let patience = deadline.left().map_err(|e| Error::io("RETR", e))?;
        let mut deadline = deadline;
        loop {
            let Some(data) = &mut self.data else { return Ok(0) };
            let got = data.read(buf, deadline).map_err(|e| Error::io("RETR", e).with_retry(Retry::Safe))?;
            if got == 0 {
                self.unresumed = !self.brought && data.is_encrypted() && !data.is_resumed();
                // ProFTPD sends its 226 only after we have closed our end.
                self.data = None;
                self.state = State::Ended;
                return Ok(0);
            }
            self.brought = true;
            let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(got);
            self.skip -= skipped as u64;
            // What is thrown away is progress, too.
            deadline = Deadline::after(patience);
            if skipped < got {
                buf.copy_within(skipped..got, 0);
                return Ok(got - skipped);
            }
        }
    }

    fn finish(mut self: Box<Self>, deadline: Deadline) -> Result<()> {
        let ended = self.state == State::Ended;
        if self.state == State::Done {
            self.lease.put_back();
            return Ok(());
        }
        if let Some(data) = self.data.take() {
            data.close();
        } else {
            self.lease.data_ended()?;
        }
        // After an early end exactly one reply follows, whatever its code: ABOR or a NOOP would only bring in more.
        let patience = if ended { deadline } else { deadline.min_after(ABORT_PATIENCE) };
        let reply = final_reply(self.lease.control_mut(), "RETR", patience);
        let reply = match reply {
            Ok(reply) => reply,
            Err(e) if ended => return Err(e.with_retry(Retry::Safe)),
            Err(e) => {
                debug!("no reply to an early end: {e}");
                return Ok(());
            }
        };
        if ended && self.unresumed && wants_resumption(&reply) {
            return Err(unresumable(self.lease.control_mut(), "RETR", &reply));
        }
        // 425: the server let go of its data channel in a way that may have spoiled the connection, too.
        if reply.code.get() != 425 {
            self.lease.put_back();
        }
        if ended && reply.code.class() != Class::Completion && !reply.is_final_measured() {
            let kind = match classify("RETR", &reply, b"") {
                Verdict::Sure(kind) => kind,
                Verdict::Ask(_) => ErrorKind::Unreachable,
            };
            return Err(refusal("RETR", &reply, kind).with_retry(Retry::Safe));
        }
        Ok(())
    }
}

/// The reply that ends a transfer. Passes over a late 1xx (FileZilla Server sends two), but not over Pure-FTPd's
/// `150 ... (measured here)`, which is final.
pub(super) fn final_reply(control: &mut Control, verb: &'static str, deadline: Deadline) -> Result<Reply> {
    loop {
        let reply = control.reply(verb, deadline)?;
        if reply.code.class() != Class::Preliminary || reply.is_final_measured() {
            return Ok(reply);
        }
    }
}

/// Whether this is how a server says that it sent nothing because the data connection had no part in the control
/// connection's TLS session: vsftpd `522`, ProFTPD and FileZilla Server `425`, after an empty stream that ends cleanly.
pub(super) fn wants_resumption(reply: &Reply) -> bool {
    matches!(reply.code.get(), 425 | 522) || (reply.code.get() == 426 && reply.says("session"))
}

/// The error for that: this connection has no session left to resume, or never had one. A server that never hands out
/// tickets of TLS 1.3 is spoken to in TLS 1.2, whose sessions need none.
pub(super) fn unresumable(control: &Control, verb: &'static str, reply: &Reply) -> Error {
    let dialect = control.dialect();
    dialect.learn(Skill::Resumption, Can::Yes);
    let again = refusal(verb, reply, ErrorKind::Unreachable).with_retry(Retry::Safe);
    match control.data_session() {
        Some(session) if session.had_tickets() => again,
        Some(session) if !session.is_old() => {
            if dialect.can(Skill::Tls13) != Can::No {
                info!("the server demands TLS sessions to be resumed and hands out none ({}): TLS 1.2", reply.text());
                dialect.learn(Skill::Tls13, Can::No);
            }
            again
        }
        _ => refusal(verb, reply, ErrorKind::TlsRefused).with_retry(Retry::Never),
    }
}

/// The commands that tell the version of a file, of those the server is known to have. Probes alone what is unknown.
pub(crate) fn version_commands<'a>(
    control: &mut Control,
    path: &Arg<'a>,
    deadline: Deadline,
) -> Result<Vec<Command<'a>>> {
    if control.dialect().can(Skill::Mlst) == Can::Yes {
        return Ok(vec![Command::Mlst(path.clone())]);
    }
    let mut commands = Vec::new();
    for (skill, command) in [(Skill::Size, Command::Size(path.clone())), (Skill::Mdtm, Command::Mdtm(path.clone()))] {
        if known(control, skill, &command, deadline)? {
            commands.push(command);
        }
    }
    Ok(commands)
}

/// Whether the server has the verb of `command`; asks once, alone, where that is not known yet.
pub(crate) fn known(control: &mut Control, skill: Skill, command: &Command<'_>, deadline: Deadline) -> Result<bool> {
    if control.dialect().can(skill) == Can::Unknown {
        let reply = control.transact(command, deadline)?;
        if let Some(has) = knows(command.verb(), &reply) {
            control.dialect().learn(skill, if has { Can::Yes } else { Can::No });
        }
    }
    Ok(control.dialect().can(skill) == Can::Yes)
}

/// What the replies to [`version_commands`] say.
pub(crate) fn read_version(dialect: &Dialect, asked: &[Command<'_>], replies: &[Reply]) -> Option<Version> {
    let mut version = Version { size: 0, mtime: None, unique: None };
    let mut sized = false;
    for (command, reply) in asked.iter().zip(replies) {
        match command {
            Command::Mlst(_) => {
                let Meta { size, mtime, unique, .. } = parse_mlst(reply)?;
                version = Version { size: size?, mtime, unique };
                sized = true;
            }
            Command::Size(_) => {
                version.size = parse_size(reply)?;
                sized = true;
            }
            Command::Mdtm(_) => version.mtime = dialect.mdtm(reply),
            _ => {}
        }
    }
    sized.then_some(version)
}

/// How long the one reply after an early end may take; the connection is given up then.
pub(super) const ABORT_PATIENCE: Duration = Duration::from_secs(5);
