//! The FTP client: each thing that can be asked of a server is a short recipe of commands on a leased connection.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use log::debug;
use lru::LruCache;

use super::classify::{Found, Look, Question, Verdict, classify, refusal};
use super::command::{Arg, Command};
use super::connect::Connector;
use super::data::Opener;
use super::dialect::{Can, Dialect, Skill};
use super::encoding::Codec;
use super::list::{Fetched, hand_out, unreadable};
use super::listing::mlsd::parse_mlst;
use super::listing::parse_mlsd;
use super::listing::time::parse_size;
use super::login::Hint;
use super::pool::{Claim, Lease, Pool};
use super::reply::{Class, Reply};
use super::socket::Dialer;
use super::times::Hasty;
use super::tls::Security;
use super::transfer::{Failed, known, read_version, retrieve, version_commands};
use super::zone::{Given, Zone};
use crate::base::sync::Ranked;
use crate::base::{Clock, Deadline, Recall};
use crate::config::Server;
use crate::remote::{
    Abilities, Download, Entry, Error, ErrorKind, Kind, Listed, Meta, Name, Outcome, Remote, RemotePath, Result, Retry,
    Settings, Stamp, Store, Stored, Upload, Version,
};

/// One FTP server, as [`Remote`] wants it. Clones share everything.
#[derive(Clone)]
pub struct Client {
    pub(super) pool: Arc<Pool>,
    pub(super) dialect: Arc<Dialect>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) timeout: Duration,
    /// Between the server's names and those of the mount, which alone are seen outside of this storey.
    pub(super) names: Codec,
    /// What the user wants sent in place of `LIST`.
    pub(super) custom_list: Option<Arg<'static>>,
    /// What is known of times that were shown before the server's zone was known.
    pub(super) hasty: Arc<Ranked<Hasty, 66>>,
    /// Directories of which the log has heard that something was left out.
    pub(super) told: Arc<Ranked<LruCache<RemotePath, ()>, 65>>,
}

impl Client {
    /// A client for `server`; nothing is sent yet.
    ///
    /// # Errors
    /// One line for the user, where the files for TLS cannot be used.
    pub fn new(server: &Server, dialer: Box<dyn Dialer>, clock: Arc<dyn Clock>) -> std::result::Result<Self, String> {
        let security = Security::new(&server.tls, &server.host)?;
        let dialect = Arc::new(Dialect::default());
        let custom_list = server.listing.command.clone().and_then(|line| Arg::new(line).ok());
        let no_mlsd = server.disable_mlsd || custom_list.is_some();
        // Only a 227 names an address that could be trusted.
        let no_epsv = server.disable_epsv || server.data.trust_pasv_address;
        for (off, skill) in [(no_epsv, Skill::Epsv), (no_mlsd, Skill::Mlsd)] {
            if off {
                dialect.forbid(skill);
            }
        }
        let connector = Connector::new(server.clone(), dialer, security, Arc::clone(&dialect), Arc::clone(&clock));
        let pool = Pool::new(connector, Arc::clone(&dialect), server.max_connections, server.idle_timeout);
        let told = Arc::new(Ranked::new(LruCache::new(MOST_TOLD)));
        let names = Codec::new(server.listing.encoding);
        let hasty = Arc::default();
        if let Some(zone) = server.listing.timezone.clone() {
            dialect.learn_zone(|known| {
                *known = Zone::Given(Given { zone, today: None, one_for_all: None, mdtm_local: None });
            });
        }
        Ok(Self { pool, dialect, clock, timeout: server.timeout, names, custom_list, hasty, told })
    }

    /// Logs in and finds the directory to mount: `path` relative to the login directory, unless it begins with `/`.
    ///
    /// `path` is UTF-8, or else as the server spells it.
    ///
    /// # Errors
    /// Whatever keeps it from being mounted, first of all [`ErrorKind::LoginRefused`] and [`ErrorKind::NotDir`].
    pub fn enter(&self, path: &[u8], deadline: Deadline) -> Result<RemotePath> {
        self.meet(deadline)?;
        let home = self.dialect.home().unwrap_or_else(RemotePath::root);
        let mut whole = if path.starts_with(b"/") { Vec::new() } else { [home.as_bytes(), b"/"].concat() };
        whole.extend_from_slice(&self.names.show_typed(path));
        let root = RemotePath::new(&whole).ok_or_else(|| Error::new(ErrorKind::NameInvalid, "CWD"))?;
        self.with_lease(&Claim::Metadata, deadline, |lease| {
            let own = lease.control_mut().local()?;
            self.opener().check(own, deadline)
        })?;
        let reply = self.ask(&root, deadline, Command::Cwd)?;
        match reply.code.class() {
            Class::Completion => Ok(root),
            _ => Err(self.refusal("CWD", &reply, &root, deadline)),
        }
    }

    /// Makes sure that what the server can do is known.
    pub(super) fn meet(&self, deadline: Deadline) -> Result<()> {
        if self.dialect.features().is_none() {
            self.pool.acquire(&Claim::Metadata, deadline)?.put_back();
        }
        Ok(())
    }

    /// Runs `work` on a connection; once more on another one if the first turns out to be dead.
    ///
    /// Everything asked so far changes nothing on the server, so asking again is always safe.
    pub(super) fn with_lease<T>(
        &self,
        claim: &Claim,
        deadline: Deadline,
        mut work: impl FnMut(&mut Lease) -> Result<T>,
    ) -> Result<T> {
        let mut fresh_failures = 0;
        loop {
            let mut lease = self.pool.acquire(claim, deadline)?;
            match work(&mut lease) {
                Ok(value) => {
                    lease.put_back();
                    return Ok(value);
                }
                Err(e) => {
                    fresh_failures += u32::from(!lease.reused);
                    if lease.reused && e.kind == ErrorKind::Unreachable {
                        self.pool.distrust();
                    }
                    drop(lease);
                    if !again(&e, fresh_failures, deadline) {
                        return Err(e);
                    }
                    debug!("{e}: once more on another connection");
                }
            }
        }
    }

    pub(super) fn opener(&self) -> Opener<'_> {
        self.pool.connector().opener()
    }

    /// Looks where `question` points, and says what it means.
    pub(super) fn explain(&self, question: Question, path: &RemotePath, deadline: Deadline) -> ErrorKind {
        let found = match question.look {
            Look::Parent | Look::Target => self.find(path, deadline),
            Look::Inside => self.look_inside(path, deadline),
            // That nobody can tell changes nothing.
            Look::Space => Ok(self.look_for_space(deadline).unwrap_or(Found::Unknown)),
        };
        found.map_or_else(|e| e.kind, |found| question.settle(found))
    }

    /// What the listing of the parent says of `path`.
    pub(super) fn find(&self, path: &RemotePath, deadline: Deadline) -> Result<Found> {
        let Some((parent, name)) = path.split() else { return Ok(Found::Unknown) };
        let mut found = None;
        let listed = self.list(&parent, deadline, &mut |entry| {
            if entry.name == name {
                found = Some(entry.meta.kind);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        match (listed, found) {
            (_, Some(Kind::File)) => Ok(Found::File),
            (_, Some(Kind::Dir)) => Ok(Found::Dir),
            (_, Some(Kind::Symlink { .. })) => Ok(Found::Link),
            (_, Some(Kind::Other)) => Ok(Found::Other),
            (Ok(Listed { complete: true }), None) => Ok(Found::Absent),
            (Ok(_), None) => Ok(Found::Unlisted),
            (Err(e), None) => match e.kind {
                ErrorKind::NotFound => Ok(Found::ParentAbsent),
                ErrorKind::NotDir => Ok(Found::ParentNotDir),
                ErrorKind::Denied => Ok(Found::Unknown),
                _ => Err(e),
            },
        }
    }

    /// An error for `reply`; takes a look where the server's words leave it open.
    pub(super) fn refusal(&self, verb: &'static str, reply: &Reply, path: &RemotePath, deadline: Deadline) -> Error {
        self.dialect.hear(verb, reply);
        // Replies speak of the path as it was sent.
        let sent = self.names.send(path).unwrap_or_default();
        let kind = match classify(verb, reply, &sent) {
            Verdict::Sure(kind) => kind,
            Verdict::Ask(question) => match self.explain(question, path, deadline) {
                ErrorKind::Denied if makes_names(verb) && is_too_long(&sent) => ErrorKind::NameTooLong,
                kind => kind,
            },
        };
        let error = refusal(verb, reply, kind);
        let clear = kind == ErrorKind::TlsRequired && self.pool.connector().clears_data();
        if clear { error.because(Hint::ClearData) } else { error }
    }

    /// `MLST`, one flight.
    fn stat_mlst(&self, path: &RemotePath, deadline: Deadline) -> Result<Meta> {
        let reply = self.ask(path, deadline, Command::Mlst)?;
        if let Some(meta) = parse_mlst(&reply) {
            return Ok(meta);
        }
        if reply.code.class() == Class::Completion {
            return Err(refusal("MLST", &reply, ErrorKind::Protocol));
        }
        Err(self.refusal("MLST", &reply, path, deadline))
    }

    /// The line of the parent's listing, with an exact time.
    fn stat_listed(&self, path: &RemotePath, deadline: Deadline) -> Result<Meta> {
        let Some((parent, name)) = path.split() else {
            return Ok(Meta { kind: Kind::Dir, size: None, mtime: None, mode: None, unique: None });
        };
        let mut found = None;
        let listed = self.list(&parent, deadline, &mut |entry| {
            if entry.name == name {
                found = Some(entry.meta);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        let mut meta = match found {
            Some(meta) => meta,
            None if listed.complete => return Err(Error::new(ErrorKind::NotFound, "LIST")),
            None => self.stat_probing(path, deadline)?,
        };
        if meta.kind == Kind::File {
            if meta.size.is_none() {
                meta.size = self.size(path, deadline)?;
            }
            let exact = self.times(&parent, &[name], deadline)?;
            meta.mtime = exact.first().copied().flatten().or(meta.mtime);
        }
        Ok(meta)
    }

    /// What a name that a listing left out stands for: `SIZE` knows files, `CWD` directories. Whoever may list the
    /// parent may ask for any name in it, so that what neither knows is missing.
    fn stat_probing(&self, path: &RemotePath, deadline: Deadline) -> Result<Meta> {
        let meta = |kind, size| Meta { kind, size, mtime: None, mode: None, unique: None };
        if let Some(size) = self.size(path, deadline)? {
            return Ok(meta(Kind::File, Some(size)));
        }
        let reply = self.ask(path, deadline, Command::Cwd)?;
        if reply.class() == Class::Completion {
            return Ok(meta(Kind::Dir, None));
        }
        match classify("CWD", &reply, &self.names.send(path).unwrap_or_default()) {
            // Neither file nor directory, and yet there.
            Verdict::Sure(ErrorKind::NotDir) => Ok(meta(Kind::Other, None)),
            Verdict::Sure(kind) => Err(refusal("CWD", &reply, kind)),
            Verdict::Ask(_) if self.dialect.can(Skill::Size) == Can::Yes => {
                Err(refusal("CWD", &reply, ErrorKind::NotFound))
            }
            // It may be a file: nobody can tell.
            Verdict::Ask(_) => Err(refusal("CWD", &reply, ErrorKind::Protocol)),
        }
    }

    fn size(&self, path: &RemotePath, deadline: Deadline) -> Result<Option<u64>> {
        let way = self.way(path)?;
        self.with_lease(&Claim::Metadata, deadline, |lease| {
            let control = lease.control_mut();
            let command = Command::Size(way.arg().clone());
            if way.walk(control, deadline)?.is_some() || !known(control, Skill::Size, &command, deadline)? {
                return Ok(None);
            }
            Ok(parse_size(&control.transact(&command, deadline)?))
        })
    }
}

impl Remote for Client {
    fn stat(&self, path: &RemotePath, deadline: Deadline) -> Result<Meta> {
        self.meet(deadline)?;
        if self.dialect.can(Skill::Mlst) == Can::Yes {
            let told = self.stat_mlst(path, deadline);
            if told.is_ok() || self.dialect.can(Skill::Mlst) == Can::Yes {
                return told;
            }
            // FEAT had promised it.
        }
        self.stat_listed(path, deadline)
    }

    fn version(&self, path: &RemotePath, deadline: Deadline) -> Result<Option<Version>> {
        let way = self.way(path)?;
        let (asked, replies) = self.with_lease(&Claim::Metadata, deadline, |lease| {
            let control = lease.control_mut();
            if let Some(refused) = way.walk(control, deadline)? {
                return Ok((vec![Command::Cwd(way.arg().clone())], vec![refused]));
            }
            let asked = version_commands(control, way.arg(), deadline)?;
            let replies = control.pipeline(&asked, deadline)?;
            Ok((asked, replies))
        })?;
        let refused = replies.iter().find(|r| r.code.class() != Class::Completion);
        match (read_version(&self.dialect, &asked, &replies), refused) {
            (Some(version), _) => Ok(Some(version)),
            (None, Some(reply)) => Err(self.refusal(asked[0].verb(), reply, path, deadline)),
            (None, None) => Ok(None),
        }
    }

    fn list(
        &self,
        path: &RemotePath,
        deadline: Deadline,
        each: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<Listed> {
        match self.lines(path, deadline)? {
            Fetched::Refused { verb, reply } => {
                let error = self.refusal(verb, &reply, path, deadline);
                // FEAT had promised it; LIST is always there.
                let missing = verb == "MLSD" && self.dialect.can(Skill::Mlsd) == Can::No;
                if missing { self.list(path, deadline, each) } else { Err(error) }
            }
            Fetched::Lines { lines, machine, complete } => {
                let mut parsed = if machine { parse_mlsd(&lines) } else { self.read_list(path, &lines, deadline) };
                let complete = complete && parsed.is_whole();
                if parsed.is_gibberish() {
                    return Err(unreadable(&parsed));
                }
                self.leave_out_lost(path, &mut parsed, deadline)?;
                self.tell_skipped(&parsed, path);
                hand_out(parsed, self.names, each);
                Ok(Listed { complete })
            }
        }
    }

    fn times(&self, dir: &RemotePath, names: &[Name], deadline: Deadline) -> Result<Vec<Option<Stamp>>> {
        let replies = if names.len() < TWO_WAYS {
            self.mdtms(dir, names, deadline)?
        } else {
            self.mdtms_two_ways(dir, names, deadline)?
        };
        Ok(replies.iter().map(|reply| self.dialect.mdtm(reply.as_ref()?)).collect())
    }

    fn links(&self, dir: &RemotePath, deadline: Deadline, each: &mut dyn FnMut(Name, &[u8])) -> Result<()> {
        // MLSD does not tell where links lead (ProFTPD, Pure-FTPd), the lines of LIST do.
        let all = self.dialect.can(Skill::ListAll) != Can::No;
        match self.list_cwd(dir, all, deadline)? {
            Fetched::Refused { verb, reply } => Err(self.refusal(verb, &reply, dir, deadline)),
            Fetched::Lines { lines, .. } => {
                hand_out(self.parse_list(&lines, &self.dialect.zone()), self.names, &mut |entry| {
                    if let Kind::Symlink { target: Some(target) } = &entry.meta.kind {
                        each(entry.name, target);
                    }
                    ControlFlow::Continue(())
                });
                Ok(())
            }
        }
    }

    fn download(
        &self,
        path: &RemotePath,
        from: u64,
        recall: &Arc<Recall>,
        deadline: Deadline,
    ) -> Result<Box<dyn Download>> {
        let claim = Claim::Data(Arc::clone(recall));
        let way = self.way(path)?;
        let mut fresh_failures = 0;
        loop {
            let mut lease = self.pool.acquire(&claim, deadline)?;
            let reused = lease.reused;
            let begun = match way.walk(lease.control_mut(), deadline) {
                Ok(None) => retrieve(lease, &self.opener(), way.arg(), from, deadline),
                Ok(Some(reply)) => {
                    lease.put_back();
                    Err(Failed::Said(reply))
                }
                Err(e) => Err(Failed::Error(e)),
            };
            match begun {
                Ok(download) => return Ok(download),
                Err(Failed::Said(reply)) if reply.code.get() == 554 => {
                    return Err(refusal("REST", &reply, ErrorKind::Changed));
                }
                Err(Failed::Said(reply)) => return Err(self.refusal("RETR", &reply, path, deadline)),
                Err(Failed::Error(e)) => {
                    fresh_failures += u32::from(!reused);
                    if reused && e.kind == ErrorKind::Unreachable {
                        self.pool.distrust();
                    }
                    if !again(&e, fresh_failures, deadline) {
                        return Err(e);
                    }
                    debug!("{e}: once more on another connection");
                }
            }
        }
    }

    fn has_spare(&self, begun: usize) -> bool {
        self.pool.has_spare(begun)
    }

    fn spare(&self) -> usize {
        self.pool.spare()
    }

    fn delay(&self) -> Option<Duration> {
        self.dialect.delay()
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            tail: self.best(&[Skill::Append, Skill::RestStor]),
            mtime: self.sets_times(),
            mode: self.best(&[Skill::SiteChmod]),
            links: self.best(&[Skill::SiteSymlink]),
        }
    }

    fn upload(
        &self,
        path: &RemotePath,
        how: Store,
        recall: &Arc<Recall>,
        deadline: Deadline,
    ) -> Result<Box<dyn Upload>> {
        Ok(Box::new(self.store(path, how, recall, deadline)?))
    }

    fn remove_file(&self, path: &RemotePath, deadline: Deadline) -> Result<()> {
        self.delete(path, deadline)
    }

    fn remove_dir(&self, path: &RemotePath, deadline: Deadline) -> Result<()> {
        self.delete_dir(path, deadline)
    }

    fn make_dir(&self, path: &RemotePath, mode: Option<u16>, deadline: Deadline) -> Result<Outcome> {
        self.make_directory(path, mode, deadline)
    }

    fn make_link(&self, path: &RemotePath, target: &[u8], deadline: Deadline) -> Result<()> {
        self.make_symlink(path, target, deadline)
    }

    fn rename(&self, from: &RemotePath, to: &RemotePath, settings: &Settings, deadline: Deadline) -> Result<Outcome> {
        self.rename_over(from, to, settings, deadline)
    }

    fn can_copy(&self, size: u64) -> Option<bool> {
        self.copies(size)
    }

    fn copy(
        &self,
        from: &RemotePath,
        to: &RemotePath,
        size: u64,
        settings: &Settings,
        deadline: Deadline,
    ) -> Result<Stored> {
        self.copy_file(from, to, size, settings, deadline)
    }

    fn set(&self, files: &[(RemotePath, Settings)], deadline: Deadline) -> Result<Vec<Outcome>> {
        self.set_all(files, deadline)
    }

    fn upkeep(&self) {
        self.pool.upkeep();
    }

    fn shut_down(&self) {
        self.pool.shut_down();
    }
}

/// Whether a failed request is worth another connection: any number of stale ones, but only a few fresh ones.
pub(super) fn again(error: &Error, fresh_failures: u32, deadline: Deadline) -> bool {
    error.retry != Retry::Never
        && error.kind != ErrorKind::TimedOut
        && fresh_failures < FRESH_ATTEMPTS
        && !deadline.passed()
}

/// Whether `verb` gives something a name.
fn makes_names(verb: &str) -> bool {
    matches!(verb, "STOR" | "APPE" | "MKD" | "SITE CPTO" | "SITE COPY")
}

/// Whether a name in `path`, as it was sent, is longer than hardly any filesystem takes: vsftpd refuses it without a reason.
pub(super) fn is_too_long(path: &[u8]) -> bool {
    path.split(|&b| b == b'/').any(|name| name.len() > LONGEST_NAME)
}

/// Bytes of a name that a filesystem behind a server is expected to take.
const LONGEST_NAME: usize = 255;

/// Times that are worth a second connection.
const TWO_WAYS: usize = 128;

/// New connections that may fail one request.
const FRESH_ATTEMPTS: u32 = 2;

/// Directories remembered for the log.
const MOST_TOLD: NonZeroUsize = NonZeroUsize::new(1000).expect("not zero");
