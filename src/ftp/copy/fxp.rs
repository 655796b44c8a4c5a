//! The server sends a file to itself: one connection of ours has it listen, the other has it connect there.
//!
//! Servers refuse the address unless it is the client's own or the administrator has allowed others (vsftpd's
//! `port_promiscuous`, ProFTPD's `AllowForeignAddress`, Pure-FTPd's `-w`); they do so at `PORT`, before anything has happened.
//! The end that connects stores, and goes first: it says 150 as soon as it is connected, which it is without the other's
//! doing. If the other then refuses to send, the end of the data is the end of an empty upload.

use std::net::SocketAddr;

use log::info;

use super::{Job, Made, unsupported};
use crate::base::Deadline;
use crate::ftp::address::{for_port, parse_epsv, parse_pasv};
use crate::ftp::change::Attempt;
use crate::ftp::classify::refusal;
use crate::ftp::client::Client;
use crate::ftp::command::Command;
use crate::ftp::control::Control;
use crate::ftp::dialect::{Can, Skill};
use crate::ftp::pool::Lease;
use crate::ftp::reply::{Class, Reply};
use crate::ftp::transfer::{ABORT_PATIENCE, final_reply};
use crate::remote::{Error, ErrorKind, Result, Retry};

/// Two connections of ours: the server listens on one, and connects on the other.
struct Pair {
    sends: Lease,
    stores: Lease,
}

impl Pair {
    fn put_back(self) {
        self.sends.put_back();
        self.stores.put_back();
    }
}

impl Client {
    pub(super) fn copy_by_fxp(&self, job: &Job<'_>, deadline: Deadline) -> (Attempt<Result<Made>>, bool) {
        let mut sends = match self.lease_for_copy("PORT", deadline) {
            Ok(lease) => lease,
            Err(e) => return (Attempt::NoConnection(e), false),
        };
        let reused = sends.reused;
        if sends.control_mut().data_session().is_some() {
            // It would take SSCN or CPSV to encrypt what goes from the server to itself, and in the clear nothing goes that
            // is to be private.
            sends.put_back();
            self.dialect.learn(Skill::Fxp, Can::No);
            return (Attempt::Answered(Err(unsupported("PORT"))), false);
        }
        let stores = match self.lease_for_copy("PORT", deadline) {
            Ok(lease) => lease,
            Err(e) => {
                sends.put_back();
                return (Attempt::NoConnection(e), false);
            }
        };
        (self.send_to_itself(Pair { sends, stores }, job, deadline), reused)
    }

    fn send_to_itself(&self, mut pair: Pair, job: &Job<'_>, deadline: Deadline) -> Attempt<Result<Made>> {
        let refused = match self.agree(&mut pair, deadline) {
            Ok(None) => None,
            Ok(Some(refused)) => Some(refused),
            Err(e) => return Attempt::NotSent(e),
        };
        if let Some((verb, reply)) = refused {
            pair.put_back();
            return Attempt::Answered(Err(self.no_fxp(verb, &reply, reply.class() == Class::Permanent)));
        }
        let soon = if self.dialect.can(Skill::Fxp) == Can::Yes {
            deadline
        } else {
            // It connects in vain, perhaps: to an address that means nothing where it is.
            deadline.min_after(self.opener().patience)
        };
        let Pair { mut sends, mut stores } = pair;
        let begun = match stores.control_mut().transact(&Command::Stor(job.target.arg().clone()), soon) {
            Ok(reply) => reply,
            Err(e) if e.kind == ErrorKind::TimedOut && self.dialect.can(Skill::Fxp) != Can::Yes => {
                self.dialect.learn(Skill::Fxp, Can::No);
                return Attempt::Answered(Err(e.with_retry(Retry::Never)));
            }
            Err(e) => return Attempt::after_sending(e),
        };
        if begun.class() != Class::Preliminary {
            // Somebody may be connected to it: nobody knows what it would do with that.
            drop(sends);
            stores.put_back();
            return Attempt::Answered(Err(self.not_begun("STOR", &begun, job, deadline)));
        }
        let begun = match sends.control_mut().transact(&Command::Retr(job.source.arg().clone()), soon) {
            Ok(reply) => reply,
            Err(e) => return Attempt::after_sending(e),
        };
        if begun.class() != Class::Preliminary {
            // Not all let go of the port then; with the session they do, and the upload is an empty one.
            drop(sends);
            if final_reply(stores.control_mut(), "STOR", soon.min_after(ABORT_PATIENCE)).is_ok() {
                stores.put_back();
            }
            return Attempt::Answered(Err(self.not_begun("RETR", &begun, job, deadline)));
        }
        self.ended(Pair { sends, stores }, job)
    }

    /// Has one end listen and tells the other where; who refused what, if anybody did.
    fn agree(&self, pair: &mut Pair, deadline: Deadline) -> Result<Option<(&'static str, Reply)>> {
        let control = pair.sends.control_mut();
        control.disarm();
        let address = match listen(control, deadline)? {
            Ok(address) => address,
            Err(refused) => return Ok(Some(refused)),
        };
        let control = pair.stores.control_mut();
        control.disarm();
        let command = for_port(&address).map_or(Command::Eprt(address), Command::Port);
        let reply = control.transact(&command, deadline)?;
        Ok((reply.class() != Class::Completion).then_some((command.verb(), reply)))
    }

    /// Waits for both ends of the transfer.
    fn ended(&self, pair: Pair, job: &Job<'_>) -> Attempt<Result<Made>> {
        let Pair { mut sends, mut stores } = pair;
        let stored = match self.wait_for_copy(stores.control_mut(), "STOR", job) {
            Ok(reply) => reply,
            Err(e) => return Attempt::after_sending(e),
        };
        // What has been stored has been sent.
        let sent = match final_reply(sends.control_mut(), "RETR", Deadline::after(job.patience)) {
            Ok(reply) => reply,
            Err(e) => return Attempt::after_sending(e),
        };
        sends.put_back();
        if stored.class() != Class::Completion {
            stores.put_back();
            let deadline = Deadline::after(job.patience);
            return Attempt::Answered(Err(self.not_stored("STOR", &stored, job.to, None, deadline)));
        }
        if sent.class() != Class::Completion {
            stores.put_back();
            return Attempt::Answered(Err(refusal("RETR", &sent, ErrorKind::Unreachable)));
        }
        Attempt::Answered(Ok(Some(stores)))
    }

    /// The error for a transfer that one end has refused: the file, or the connection to the other.
    fn not_begun(&self, verb: &'static str, reply: &Reply, job: &Job<'_>, deadline: Deadline) -> Error {
        if reply.code.get() == 425 {
            return self.no_fxp(verb, reply, self.dialect.can(Skill::Fxp) != Can::Yes);
        }
        let path = if verb == "STOR" { job.to } else { job.from };
        self.not_stored(verb, reply, path, None, deadline)
    }

    /// The server does not send to itself, `ever` or just now.
    fn no_fxp(&self, verb: &'static str, reply: &Reply, ever: bool) -> Error {
        if ever {
            info!("the server does not send files to itself: {verb}: {reply}");
            self.dialect.learn(Skill::Fxp, Can::No);
        }
        unsupported(verb).with_reply(reply.text())
    }
}

/// Where the server listens, as it sees itself; else who refused.
///
/// A 227 names the address that the server knows, which behind NAT is not the one that we know. A server of IPv6 says
/// nothing but the port.
fn listen(control: &mut Control, deadline: Deadline) -> Result<std::result::Result<SocketAddr, (&'static str, Reply)>> {
    let v4 = control.peer().to_canonical().is_ipv4();
    if v4 {
        let reply = control.transact(&Command::Pasv, deadline)?;
        if let Some((ip, port)) = parse_pasv(&reply) {
            let known = ip != [0; 4];
            return Ok(Ok(if known { SocketAddr::new(ip.into(), port) } else { control.peer_at(port) }));
        }
    }
    let reply = control.transact(&Command::Epsv, deadline)?;
    Ok(parse_epsv(&reply).map(|port| control.peer_at(port)).ok_or(("EPSV", reply)))
}
