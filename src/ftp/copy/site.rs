//! `SITE CPFR` and `SITE CPTO`, `SITE COPY`: a server that copies files itself.

use log::info;

use super::{Job, Made, unsupported};
use crate::base::Deadline;
use crate::ftp::change::Attempt;
use crate::ftp::client::Client;
use crate::ftp::command::Command;
use crate::ftp::dialect::{Can, Skill};
use crate::ftp::pool::Lease;
use crate::ftp::reply::{Class, Reply};
use crate::remote::{Error, RemotePath, Result};

impl Client {
    /// `SITE CPFR` and `SITE CPTO`, in one segment where the first is known to be.
    pub(super) fn copy_by_cpfr(&self, job: &Job<'_>, deadline: Deadline) -> (Attempt<Result<Made>>, bool) {
        let lease = match self.lease_for_copy("SITE CPFR", deadline) {
            Ok(lease) => lease,
            Err(e) => return (Attempt::NoConnection(e), false),
        };
        let reused = lease.reused;
        (self.cpfr_cpto(lease, job, deadline), reused)
    }

    fn cpfr_cpto(&self, mut lease: Lease, job: &Job<'_>, deadline: Deadline) -> Attempt<Result<Made>> {
        let control = lease.control_mut();
        let from = Command::SiteCpfr(job.source.arg().clone());
        let to = Command::SiteCpto(job.target.arg().clone());
        let (first, second) = (from.verb(), to.verb());
        let proven = self.dialect.can(Skill::SiteCpfr) == Can::Yes;
        let asked = if proven { vec![from, to.clone()] } else { vec![from] };
        let found = control.send(&asked, deadline).and_then(|()| control.reply(first, deadline));
        let found = match found {
            Ok(found) => found,
            // Both may have arrived.
            Err(e) => return if proven { Attempt::after_sending(e) } else { Attempt::NotSent(e) },
        };
        if found.class() != Class::Intermediate {
            // Without the first the second is refused as well, and says so.
            if proven && let Err(e) = self.wait_for_copy(control, second, job) {
                return Attempt::after_sending(e);
            }
            lease.put_back();
            return Attempt::Answered(Err(self.not_copied(Skill::SiteCpfr, first, &found, job.from, deadline)));
        }
        if !proven {
            self.dialect.learn(Skill::SiteCpfr, Can::Yes);
            if let Err(e) = control.send(&[to], deadline) {
                return Attempt::after_sending(e);
            }
        }
        match self.wait_for_copy(control, second, job) {
            Ok(done) => self.copied(lease, Skill::SiteCpfr, second, &done, job),
            Err(e) => Attempt::after_sending(e),
        }
    }

    /// `SITE COPY`, whose two paths a blank parts: those that hold one cannot be sent.
    pub(super) fn copy_by_copy(&self, job: &Job<'_>, deadline: Deadline) -> (Attempt<Result<Made>>, bool) {
        let command = Command::SiteCopy(job.source.arg().clone(), job.target.arg().clone());
        let software = self.dialect.software();
        let fits = command.encoded_len(software.iac()) <= software.line_limit();
        let has_blank = [job.source.arg(), job.target.arg()].iter().any(|arg| arg.as_bytes().contains(&b' '));
        if has_blank || !fits {
            return (Attempt::Answered(Err(unsupported(command.verb()))), false);
        }
        let mut lease = match self.lease_for_copy(command.verb(), deadline) {
            Ok(lease) => lease,
            Err(e) => return (Attempt::NoConnection(e), false),
        };
        let reused = lease.reused;
        let control = lease.control_mut();
        let verb = command.verb();
        let sent = control.send(&[command], deadline);
        let attempt = match sent.and_then(|()| self.wait_for_copy(control, verb, job)) {
            Ok(done) => self.copied(lease, Skill::SiteCopy, verb, &done, job),
            Err(e) => Attempt::after_sending(e),
        };
        (attempt, reused)
    }

    /// What the last reply makes of it.
    fn copied(
        &self,
        lease: Lease,
        skill: Skill,
        verb: &'static str,
        reply: &Reply,
        job: &Job<'_>,
    ) -> Attempt<Result<Made>> {
        if reply.class() == Class::Completion && reply.code.get() != NOT_DONE {
            return Attempt::Answered(Ok(Some(lease)));
        }
        lease.put_back();
        Attempt::Answered(Err(self.not_copied(skill, verb, reply, job.to, Deadline::after(job.patience))))
    }

    /// The error for a refusal; learns that there is no such verb.
    fn not_copied(
        &self,
        skill: Skill,
        verb: &'static str,
        reply: &Reply,
        path: &RemotePath,
        deadline: Deadline,
    ) -> Error {
        if matches!(reply.code.get(), NOT_DONE | 500 | 502 | 504) && self.dialect.can(skill) != Can::Yes {
            info!("the server does not know {verb}: {reply}");
            self.dialect.learn(skill, Can::No);
            return unsupported(verb).with_reply(reply.text());
        }
        self.refusal(verb, reply, path, deadline)
    }
}

/// `202 Command not implemented, superfluous at this site` (RFC 959 4.2.2).
const NOT_DONE: u16 = 202;
