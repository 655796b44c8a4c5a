//! SITE CPFR, SITE CPTO and SITE COPY, as ProFTPD's mod_copy has them.

use super::session::{Session, Step};
use super::tree::{Content, Tree, Why};
use super::writers::split_word;
use super::writing::{Copies, Writing};

impl Session {
    pub(super) fn copy_command(&mut self, me: &Writing, arg: &[u8]) -> Step {
        match self.verb.as_str() {
            "SITE CPFR" if me.copies == Copies::InTwo => self.copy_from(arg),
            "SITE CPTO" if me.copies == Copies::InTwo => self.copy_to(me, arg),
            "SITE COPY" if me.copies != Copies::Unknown => match split_word(arg) {
                Some((from, _)) => {
                    self.copying = Some(super::tree::join(&self.cwd, from));
                    self.copy_to(me, arg)
                }
                None => self.answer("501 Invalid number of parameters"),
            },
            _ => self.unknown_site(),
        }
    }

    fn copy_from(&mut self, arg: &[u8]) -> Step {
        let path = self.here();
        let found = self.hub.tree.lock().regular(&path).map(drop);
        match found {
            Ok(()) => {
                self.copying = Some(path);
                self.answer("350 File or directory exists, ready for destination name")
            }
            Err(why) => self.refuse_change(arg, why),
        }
    }

    fn copy_to(&mut self, me: &Writing, arg: &[u8]) -> Step {
        let Some(from) = self.copying.take() else { return self.answer("503 Bad sequence of commands") };
        let (to, now) = (self.here(), self.now());
        if !me.overwrites && self.hub.tree.lock().find(&to, false).is_ok() {
            return self.refuse_change(arg, Why::Denied);
        }
        let capacity = me.disk.as_ref().map_or(u64::MAX, |disk| disk.capacity);
        let copied = self.hub.tree.update(|tree| {
            let room = capacity.saturating_sub(tree.used());
            copy(tree, &from, &to, me.umask, now, room)
        });
        match copied {
            Ok(true) if self.verb == "SITE COPY" => self.confirm("200 SITE COPY command successful"),
            Ok(true) => self.confirm("250 Copy successful"),
            Ok(false) => self.confirm("550 No space left on device"),
            Err(why) => self.refuse_change(arg, why),
        }
    }
}

/// False where the disk is full: a part of it is there then.
fn copy(tree: &mut Tree, from: &[u8], to: &[u8], umask: u32, now: i64, room: u64) -> Result<bool, Why> {
    let content = tree.regular(from).map(|(_, content)| content.clone())?;
    if let (Content::Pattern { len, seed }, true) = (&content, content.len() <= room) {
        // Of any length: nothing is held.
        tree.open(to, 0o666 & !umask, now)?;
        tree.write_pattern(to, *len, *seed, now);
        return Ok(true);
    }
    let part = content.read(0, content.len().min(room) as usize);
    let unique = tree.open(to, 0o666 & !umask, now)?;
    tree.truncate(unique, to, 0, now);
    tree.store(unique, to, 0, &part, now);
    Ok(content.len() <= room)
}
