//! The directory of the spools, and the limit that they share.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ring::rand::{SecureRandom, SystemRandom};

use super::pages::Pages;
use super::{Place, Spool};
use crate::base::sync::Ranked;
use crate::base::sys;
use crate::store::private;

/// Where spools live; one for each mount.
#[derive(Debug)]
pub struct SpoolDir {
    path: PathBuf,
    limit: Option<u64>,
    used: AtomicU64,
    /// Whether the filesystem may have files without a name; learned at the first attempt.
    unnamed: AtomicBool,
    /// What saved spools cost that nobody has open, by path.
    parked: Ranked<HashMap<PathBuf, u64>, 54>,
}

impl SpoolDir {
    /// Takes `dir`, which is made (0700) where it is missing, for spools of at most `limit` bytes in all.
    ///
    /// # Errors
    /// `PermissionDenied` where others can write to it or own it; what the system says where it cannot be made.
    pub fn open(dir: &Path, limit: Option<u64>) -> io::Result<Arc<Self>> {
        let dir = Self {
            path: private::take(dir)?,
            limit,
            used: AtomicU64::new(0),
            unnamed: AtomicBool::new(true),
            parked: Ranked::new(HashMap::new()),
        };
        dir.sweep();
        dir.remind();
        Ok(Arc::new(dir))
    }

    /// A new empty spool (0600).
    ///
    /// # Errors
    /// Those of open(2): no space for an inode, too many open files.
    pub fn create(self: &Arc<Self>) -> io::Result<Spool> {
        if self.unnamed.load(Ordering::Relaxed) {
            let mut options = OpenOptions::new();
            match options.read(true).write(true).mode(0o600).custom_flags(libc::O_TMPFILE).open(&self.path) {
                Ok(file) => return Ok(Spool::with(self, file, Pages::default(), Place::Unnamed)),
                // Kernels and filesystems that do not know the flag see an attempt to write to a directory.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR | libc::EINVAL)) => {
                    self.unnamed.store(false, Ordering::Relaxed);
                }
                Err(error) => return Err(error),
            }
        }
        let (file, path) = self.create_named()?;
        Ok(Spool::with(self, file, Pages::default(), Place::Temporary(path)))
    }

    /// Bytes that all spools have on the disk, in whole pages; what lies in `lost/` does not count.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// The directory, without links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file with a name of its own, locked as long as it is open: so the next process can tell what is left over.
    ///
    /// It keeps the name, because a file that was unlinked cannot be given one again.
    fn create_named(&self) -> io::Result<(File, PathBuf)> {
        let tmp = self.subdir(TMP)?;
        loop {
            let path = tmp.join(random_name()?);
            let file = match OpenOptions::new().read(true).write(true).mode(0o600).create_new(true).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                opened => opened?,
            };
            // Another mount may have swept it away before it was locked.
            let locked = sys::try_lock(file.as_fd()).unwrap_or(true);
            if locked && file.metadata()?.nlink() > 0 {
                return Ok((file, path));
            }
        }
    }

    /// Removes what killed processes have left in `tmp/`: no close() of theirs has promised anything for it.
    fn sweep(&self) {
        for entry in fs::read_dir(self.path.join(TMP)).into_iter().flatten().flatten() {
            let file =
                OpenOptions::new().write(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(entry.path());
            if file.is_ok_and(|file| sys::try_lock(file.as_fd()).unwrap_or(false)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Nobody but the user removes what was kept for the user: it is not to be forgotten.
    fn remind(&self) {
        let lost = self.path.join(LOST);
        let (mut files, mut bytes) = (0, 0);
        for entry in fs::read_dir(&lost).into_iter().flatten().flatten() {
            if entry.path().extension().is_none() {
                files += 1;
                bytes += entry.metadata().map_or(0, |meta| meta.blocks() * 512);
            }
        }
        if files > 0 {
            let mib = bytes.div_ceil(1 << 20);
            log::warn!("{files} files ({mib} MiB) that could not be stored earlier are kept in {}", lost.display());
        }
    }

    /// Makes a directory for us alone below this one.
    pub(in crate::store) fn subdir(&self, name: &str) -> io::Result<PathBuf> {
        private::subdir(&self.path, name)
    }

    /// A path in `lost/` that nobody has yet.
    pub(super) fn lost_name(&self) -> io::Result<PathBuf> {
        Ok(self.subdir(LOST)?.join(random_name()?))
    }

    /// Moves the file `path`, that nobody has open, to `lost/`; tells where.
    pub(in crate::store) fn lose(&self, path: &Path, hint: &str) -> io::Result<PathBuf> {
        let kept = self.lost_name()?;
        let mut parked = self.parked.lock();
        rename_to_new(path, &kept)?;
        let freed = parked.remove(path).unwrap_or(0);
        drop(parked);
        self.give_back(freed);
        self.explain(&kept, hint);
        for parent in [kept.parent(), path.parent()].into_iter().flatten() {
            sync_names(parent)?;
        }
        Ok(kept)
    }

    /// Writes down beside `path` what it was; without success where the disk is full.
    pub(super) fn explain(&self, path: &Path, hint: &str) {
        let mut text = String::from("Content that ftpfs could not store on the server. It was written for:\n");
        for c in hint.chars() {
            // One line, whatever the server's names hold.
            let _ = if c.is_control() { write!(text, "{}", c.escape_default()) } else { write!(text, "{c}") };
        }
        text.push('\n');
        let beside = path.with_extension("txt");
        let mut options = OpenOptions::new();
        let made = options.write(true).mode(0o600).create_new(true).open(&beside);
        if let Err(error) = made.and_then(|mut file| file.write_all(text.as_bytes())) {
            log::warn!("cannot write {}: {error}", beside.display());
        }
    }

    /// Charges `bytes`, if the limit allows it.
    pub(super) fn take(&self, bytes: u64) -> io::Result<()> {
        let limit = self.limit.unwrap_or(u64::MAX);
        let fits = |used: u64| used.checked_add(bytes).filter(|&sum| bytes == 0 || sum <= limit);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::new(io::ErrorKind::StorageFull, "the limit of the spool is reached")),
        }
    }

    /// Charges `bytes` that are on the disk already.
    fn charge_anyway(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The last to have the saved spool at `path` open lets go of it: `bytes` go on counting, unless it is no longer there.
    pub(super) fn park(&self, path: &Path, file: &File, bytes: u64) {
        let mut parked = self.parked.lock();
        let identity = |meta: fs::Metadata| (meta.dev(), meta.ino());
        let there = fs::symlink_metadata(path).map(identity).ok();
        let gone = there.is_none() || there != file.metadata().map(identity).ok();
        let freed = if gone { bytes } else { parked.insert(path.to_owned(), bytes).unwrap_or(0) };
        drop(parked);
        self.give_back(freed);
    }

    /// Charges for the saved spool at `path` that is about to be opened and has `bytes`.
    pub(super) fn unpark(&self, path: &Path, bytes: u64) {
        self.charge_anyway(bytes);
        let counted = self.parked.lock().remove(path).unwrap_or(0);
        self.give_back(counted);
    }

    /// Counts the saved spool at `path`, left by another process.
    pub(in crate::store) fn count(&self, path: &Path) -> io::Result<()> {
        let bytes = fs::symlink_metadata(path)?.blocks() * 512;
        self.charge_anyway(bytes);
        let counted = self.parked.lock().insert(path.to_owned(), bytes).unwrap_or(0);
        self.give_back(counted);
        Ok(())
    }

    /// Removes the saved spool at `path`. Where somebody has it open it ends, and gives back, when they let go.
    pub(in crate::store) fn remove(&self, path: &Path) -> io::Result<()> {
        let mut parked = self.parked.lock();
        let removed = fs::remove_file(path);
        let gone = removed.as_ref().err().is_none_or(|error| error.kind() == io::ErrorKind::NotFound);
        let freed = if gone { parked.remove(path).unwrap_or(0) } else { 0 };
        drop(parked);
        self.give_back(freed);
        removed
    }

    #[cfg(test)]
    pub(super) fn without_unnamed_files(&self) {
        self.unnamed.store(false, Ordering::Relaxed);
    }
}

/// As rename(2), but never onto an existing file. In a directory that only we write to, looking first is enough.
pub(super) fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    match fs::symlink_metadata(to) {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::rename(from, to),
        Err(error) => Err(error),
    }
}

/// Waits until the names in the directory `path` are on the disk.
pub(in crate::store) fn sync_names(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// A name that says nothing.
pub(in crate::store) fn random_name() -> io::Result<String> {
    let mut bytes = [0; 12];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("no random numbers"))?;
    Ok(crate::store::hex(&bytes))
}

/// What was kept for the user.
const LOST: &str = "lost";
/// Spools with a name, where there are none without.
const TMP: &str = "tmp";
