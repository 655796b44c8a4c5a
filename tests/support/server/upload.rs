//! Uploads: STOR and APPE, from the opening of the file to the final reply.

use super::data::CHUNK;
use super::fault::{End, Place, Point};
use super::hub::Gone;
use super::log::Event;
use super::personality::{Dialect, Personality};
use super::session::{Session, Step, Verdict};
use super::tree::Why;
use super::words;
use super::write_words;
use super::writing::{Append, FullWords, Restart, Tells, Truncates, Writing};
use std::io::{ErrorKind, Read};

/// An open file and what an upload does to it.
struct Target {
    unique: u64,
    /// Where the first byte goes.
    offset: u64,
    /// Is cut here when the first block has come.
    cut: Option<u64>,
    /// Appends what has come once more.
    twice: bool,
}

/// How an upload ended.
enum Received {
    All,
    /// The data connection broke.
    Broken,
    /// The disk is full.
    Full,
    /// A fault has spoken in place of the server.
    Spoken,
}

/// What one read gave.
enum Block {
    Bytes(Vec<u8>),
    End,
    Broken,
}

impl Session {
    pub(super) fn store(&mut self, me: &Writing, arg: &[u8]) -> Step {
        let dialect = self.hub.personality.dialect;
        let offset = std::mem::take(&mut self.rest);
        if !self.has_way() {
            return self.answer(words::no_data(dialect));
        }
        let existing = self.hub.tree.lock().regular(&self.here()).map(|(node, _)| node.size()).ok();
        if offset > 0 && me.restart == Restart::Refused {
            return self.refuse_restart(arg);
        }
        if existing.is_some() && !me.overwrites {
            self.lose_passive();
            return self.answer(words::naming(arg, |arg| write_words::overwrite(dialect, arg)));
        }
        if offset > existing.unwrap_or(0)
            && me.restart == Restart::KeepsTail
            && self.hub.personality.rest_refused_beyond_end
        {
            self.lose_passive();
            let size = existing.unwrap_or(0);
            return self.answer(words::naming(arg, |arg| words::beyond_end(dialect, arg, offset, size)));
        }
        let mut target = match self.open(me) {
            Ok(unique) => Target { unique, offset: 0, cut: None, twice: false },
            Err(why) => return self.refuse_upload(arg, why),
        };
        self.lock_file(target.unique, true)?;
        // Whoever wrote while this one waited may have changed the length.
        let len = self.len_of(target.unique);
        match me.restart {
            Restart::KeepsTail => target.offset = offset,
            Restart::Truncates => target.offset = offset.min(len),
            Restart::Refused | Restart::Ignored => {}
        }
        if target.offset == 0 || me.restart == Restart::Truncates {
            target.cut = Some(target.offset);
        }
        if me.truncates == Truncates::AtCommand {
            self.cut_file(&mut target);
        }
        self.upload(me, target, arg)
    }

    pub(super) fn append(&mut self, me: &Writing, arg: &[u8]) -> Step {
        let dialect = self.hub.personality.dialect;
        if !self.has_way() {
            return self.answer(words::no_data(dialect));
        }
        if self.rest > 0 && dialect == Dialect::Pyftpdlib {
            return self.answer("450 Can't APPE while REST request is pending.");
        }
        let rest = std::mem::take(&mut self.rest);
        let exists = self.hub.tree.lock().regular(&self.here()).is_ok();
        match me.append {
            Append::Unknown => return self.unknown(),
            Append::Refused if exists => return self.refuse_restart(arg),
            Append::Refused | Append::Works | Append::FromStart | Append::Twice => {}
        }
        let unique = match self.open(me) {
            Ok(unique) => unique,
            Err(why) => return self.refuse_upload(arg, why),
        };
        self.lock_file(unique, true)?;
        let offset = match (me.append, dialect) {
            (Append::FromStart, _) => 0,
            // The two that write where REST points.
            (_, Dialect::Proftpd | Dialect::Ancient) if rest > 0 => rest,
            _ => self.len_of(unique),
        };
        self.upload(me, Target { unique, offset, cut: None, twice: me.append == Append::Twice }, arg)
    }

    /// Waits until nobody else has the file, where the server locks.
    pub(super) fn lock_file(&mut self, unique: u64, alone: bool) -> Step {
        if self.hub.personality.writing.as_ref().is_some_and(|it| it.locks) {
            self.hub.lock_file(self.id, unique, alone)?;
            self.held = Some((unique, alone));
        }
        Ok(())
    }

    /// Lets others have the file: before the final reply leaves, which may make its reader look.
    pub(super) fn close_file(&mut self) {
        self.hub.update(|state| state.uploads.retain(|(id, _), _| *id != self.id));
        if let Some((unique, alone)) = self.held.take() {
            self.hub.unlock_file(unique, alone);
        }
    }

    fn open(&mut self, me: &Writing) -> Result<u64, Why> {
        let (path, now) = (self.here(), self.now());
        let pure = self.hub.personality.dialect == Dialect::Pureftpd;
        self.hub.tree.update(|tree| {
            // Pure-FTPd never follows a link at the end.
            if pure && tree.find(&path, false).is_ok_and(super::tree::Node::is_link) {
                return Err(Why::Loop);
            }
            tree.open(&path, 0o666 & !me.umask, now)
        })
    }

    fn len_of(&self, unique: u64) -> u64 {
        self.hub.tree.update(|tree| tree.len_of(unique, &self.here()))
    }

    fn cut_file(&self, target: &mut Target) {
        if let Some(len) = target.cut.take() {
            self.hub.tree.update(|tree| tree.truncate(target.unique, &self.here(), len, self.now()));
        }
    }

    fn refuse_restart(&mut self, arg: &[u8]) -> Step {
        self.lose_passive();
        self.answer(words::naming(arg, |arg| format!("451 {arg}: Append/Restart not permitted, try again")))
    }

    fn refuse_upload(&mut self, arg: &[u8], why: Why) -> Step {
        self.lose_passive();
        self.refuse_change(arg, why)
    }

    /// The transfer, with all the replies around it.
    fn upload(&mut self, me: &Writing, mut target: Target, arg: &[u8]) -> Step {
        let done = self.receive_file(me, &mut target, arg);
        self.close_file();
        done
    }

    fn receive_file(&mut self, me: &Writing, target: &mut Target, arg: &[u8]) -> Step {
        let dialect = self.hub.personality.dialect;
        let path = self.here();
        self.hub.update(|state| {
            state.uploads.insert((self.id, path.clone()), 0);
            state.received.insert(path.clone(), 0);
        });
        let opening = words::naming(arg, |arg| write_words::opening(dialect, arg));
        if !self.establish(&opening, true)? {
            return Ok(());
        }
        let start = target.offset;
        match self.receive(me, target)? {
            Received::Spoken => {
                self.end_data(End::Fin);
                Ok(())
            }
            Received::All => {
                if target.twice {
                    self.append_again(target, start);
                }
                self.close_data(false);
                self.conclude(write_words::stored(dialect).as_bytes())
            }
            Received::Broken => {
                self.close_data(true);
                self.conclude(write_words::broken(dialect).as_bytes())
            }
            Received::Full => self.refuse_for_space(me, target),
        }
    }

    fn refuse_for_space(&mut self, me: &Writing, target: &Target) -> Step {
        let Some(disk) = &me.disk else { return Ok(()) };
        if disk.removes_partial {
            let path = self.here();
            self.hub.tree.update(|tree| match tree.find(&path, true) {
                Ok(node) if node.unique == target.unique => drop(tree.remove(&path)),
                _ => {}
            });
        }
        self.close_data(true);
        match &disk.words {
            FullWords::Dialect => self.conclude(write_words::full(self.hub.personality.dialect).as_bytes()),
            FullWords::Said(text) => self.conclude(text.as_bytes()),
            FullWords::Silence => Ok(()),
        }
    }

    fn append_again(&self, target: &Target, start: u64) {
        let (path, now) = (self.here(), self.now());
        self.hub.tree.update(|tree| {
            let Ok((_, content)) = tree.regular(&path) else { return };
            let bytes = content.read(start, self.sent as usize);
            tree.store(target.unique, &path, start + bytes.len() as u64, &bytes, now);
        });
    }

    fn receive(&mut self, me: &Writing, target: &mut Target) -> Result<Received, Gone> {
        let mut met_below = 0;
        let mut full = false;
        loop {
            let point = Point { place: Place::Final, conn: self.id, verb: &self.verb, path: self.path.as_ref() };
            met_below = met_below.max(self.sent);
            let threshold = self.hub.threshold(&point, met_below);
            if threshold == Some(self.sent) {
                met_below = self.sent + 1;
                if let Verdict::Spoken = self.meet(Place::Data(self.sent))? {
                    return Ok(Received::Spoken);
                }
                continue;
            }
            let chunk = self.slow.map_or(CHUNK, |slow| slow.chunk) as u64;
            let len = threshold.map_or(chunk, |at| chunk.min(at - self.sent)) as usize;
            let block = self.read_block(len);
            if self.hub.killed(self.id).is_some() {
                return Err(Gone(End::Fin));
            }
            match block {
                Block::Broken => return Ok(Received::Broken),
                Block::End => {
                    self.cut_file(target);
                    return Ok(if full { Received::Full } else { Received::All });
                }
                Block::Bytes(bytes) => {
                    full = !self.keep(me, target, &bytes, full);
                    let tells = me.disk.as_ref().map(|disk| disk.tells);
                    if full && tells == Some(Tells::AtOnce) {
                        return Ok(Received::Full);
                    }
                }
            }
            if let Some(slow) = self.slow {
                self.hub.pause(self.id, slow.pause)?;
            }
        }
    }

    /// Stores a block; `false` when the disk is full, or was already.
    fn keep(&mut self, me: &Writing, target: &mut Target, bytes: &[u8], full: bool) -> bool {
        self.cut_file(target);
        let (path, now) = (self.here(), self.now());
        let mut fits = bytes.len();
        if !self.swallows && !full {
            self.hub.tree.update(|tree| {
                if let Some(disk) = &me.disk {
                    let free = disk.capacity.saturating_sub(tree.used());
                    let end = tree.len_of(target.unique, &path) + free;
                    fits = fits.min(end.saturating_sub(target.offset) as usize);
                }
                tree.store(target.unique, &path, target.offset, &bytes[..fits], now);
            });
        }
        target.offset += fits as u64;
        self.sent += bytes.len() as u64;
        self.hub.update(|state| {
            state.uploads.insert((self.id, path.clone()), self.sent);
            state.received.insert(path, self.sent);
        });
        !full && fits == bytes.len()
    }

    fn read_block(&mut self, len: usize) -> Block {
        let Some(mut data) = self.data.as_deref() else { return Block::Broken };
        let mut buffer = vec![0; len];
        let read = loop {
            let read = match &mut self.data_tls {
                None => data.read(&mut buffer),
                Some(tls) => rustls::Stream::new(&mut **tls, &mut data).read(&mut buffer),
            };
            match read {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let me: &Personality = &self.hub.personality;
        match read {
            Ok(0) => Block::End,
            Ok(len) => {
                buffer.truncate(len);
                if me.ascii && !self.binary {
                    buffer.retain(|&byte| byte != b'\r');
                }
                Block::Bytes(buffer)
            }
            // No close_notify: vsftpd alone minds.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof && me.dialect != Dialect::Vsftpd => Block::End,
            Err(error) => {
                self.hub.note(self.id, Event::Broken(error.kind().to_string()));
                Block::Broken
            }
        }
    }
}
