//! kill -9 at random moments: what a close(2), rename(2) or unlink(2) had promised is on the server after the next mount.
//!
//! `FTPFS_KILLS` says how many times (a dozen by default), `FTPFS_SEED` repeats a run.

mod support;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::IntoRawFd as _;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::lab::{Lab, Options, Software, Tls};
use support::mount::{Mount, Place, User};
use support::process::{signal, with_deadline};

/// Numbers that look random and can be had again.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % n
    }
}

/// Content that tells which it is in each of its lines, and how long it has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Content {
    id: u64,
    len: usize,
    /// So much of it was appended later, as another content.
    tail: Option<(u64, usize)>,
}

impl Content {
    fn bytes(&self) -> Vec<u8> {
        let part = |id: u64, len: usize| {
            let line = format!("content {id:016x} of {len} bytes\n");
            line.bytes().cycle().take(len).collect::<Vec<u8>>()
        };
        let (id, len) = self.tail.unwrap_or((0, 0));
        [part(self.id, self.len), part(id, len)].concat()
    }
}

/// What may be found under a name: what has been promised, or one of two where a call was cut off.
type Allowed = Vec<Option<Content>>;

/// What one thread knows of its own directory.
struct Worker {
    dir: PathBuf,
    random: Random,
    next: u64,
    files: BTreeMap<String, Allowed>,
    calls: usize,
}

impl Worker {
    /// Works until something fails, which may only be because of the kill.
    fn run(&mut self, killed: &AtomicBool) {
        loop {
            match self.step() {
                Ok(()) => self.calls += 1,
                Err(e) => {
                    assert!(killed.load(Ordering::SeqCst), "{}: {e}", self.dir.display());
                    return;
                }
            }
        }
    }

    fn step(&mut self) -> io::Result<()> {
        let name = format!("f{}", self.random.below(12));
        let now = self.files.get(&name).and_then(|allowed| allowed[0]);
        let path = self.dir.join(&name);
        match (self.random.below(10), now) {
            (0..=3, _) | (_, None) => {
                let content = self.content();
                self.doubt(&name, Some(content));
                write(&path, &content)?;
                self.know(&name, Some(content));
            }
            // As rsync and editors do.
            (4, _) => {
                let content = self.content();
                self.doubt(&name, Some(content));
                let temporary = self.dir.join(format!(".{name}.tmp"));
                write(&temporary, &content)?;
                fs::rename(&temporary, &path)?;
                self.know(&name, Some(content));
            }
            (5, Some(old)) => {
                let other = format!("f{}", self.random.below(12));
                if other != name {
                    self.doubt(&other, Some(old));
                    self.doubt(&name, None);
                    fs::rename(&path, self.dir.join(&other))?;
                    self.know(&other, Some(old));
                    self.know(&name, None);
                }
            }
            (6, Some(_)) => {
                self.doubt(&name, None);
                fs::remove_file(&path)?;
                self.know(&name, None);
            }
            (7, Some(old)) if old.tail.is_none() => {
                let tail = self.content();
                let content = Content { tail: Some((tail.id, tail.len)), ..old };
                self.doubt(&name, Some(content));
                let mut file = OpenOptions::new().append(true).open(&path)?;
                file.write_all(&content.bytes()[old.len..])?;
                close(file)?;
                self.know(&name, Some(content));
            }
            (8, Some(_)) => {
                let content = self.content();
                self.doubt(&name, Some(content));
                let mut file = File::create(&path)?;
                file.write_all(&content.bytes())?;
                file.sync_all()?;
                self.know(&name, Some(content));
            }
            (_, Some(content)) => {
                let found = fs::read(&path)?;
                assert!(found == content.bytes(), "{}: {} bytes are not {content:?}", path.display(), found.len());
            }
        }
        Ok(())
    }

    fn content(&mut self) -> Content {
        self.next += 1;
        let len = match self.random.below(20) {
            0 => 0,
            1 => 1_000_000 + self.random.below(2_000_000),
            _ => 1 + self.random.below(20_000),
        };
        Content { id: self.next, len: len as usize, tail: None }
    }

    fn doubt(&mut self, name: &str, new: Option<Content>) {
        self.files.entry(name.to_owned()).or_insert_with(|| vec![None]).push(new);
    }

    fn know(&mut self, name: &str, content: Option<Content>) {
        self.files.insert(name.to_owned(), vec![content]);
    }

    /// Compares what the server's disk has with what has been promised; tells how many files were looked at.
    fn check(&self, disk: &Path) -> usize {
        for (name, allowed) in &self.files {
            let found = fs::read(disk.join(name)).ok();
            let fits = allowed.iter().any(|content| content.map(|content| content.bytes()) == found);
            let shown = found.as_ref().map(|bytes| {
                let end = bytes.len().min(60);
                format!("{} bytes: {}", bytes.len(), String::from_utf8_lossy(&bytes[..end]))
            });
            assert!(fits, "{}/{name}: {allowed:?} was promised, there is {shown:?}", disk.display());
        }
        // A rename that was cut off may have happened or not, but what it was about is there.
        let doubted: Vec<_> = self.files.iter().filter(|(_, allowed)| allowed.len() > 1).collect();
        for (name, allowed) in &doubted {
            if let (Some(old), [None, ..] | [_, None]) = (allowed[0], &allowed[..]) {
                let anywhere = self.files.keys().any(|at| fs::read(disk.join(at)).ok() == Some(old.bytes()));
                let renamed = doubted.iter().any(|(at, other)| at != name && other.contains(&Some(old)));
                assert!(anywhere || !renamed, "{name}: lost between two names");
            }
        }
        let known = |name: &str| self.files.contains_key(name);
        for entry in fs::read_dir(disk).expect("lists") {
            let name = entry.expect("an entry").file_name().into_string().expect("text");
            // Where a call was cut off, both sides of it may be there.
            let conflict = name.split_once(".ftpfs-conflict-").is_some_and(|(of, _)| self.is_doubted(of));
            let temporary = name.strip_suffix(".tmp").is_some_and(|of| self.is_doubted(of.trim_start_matches('.')));
            assert!(known(&name) || conflict || temporary, "{}: {name} is nobody's", disk.display());
        }
        self.files.len()
    }

    fn is_doubted(&self, name: &str) -> bool {
        self.files.get(name).is_some_and(|allowed| allowed.len() > 1)
    }
}

/// As `fs::write`, which does not tell how close(2) went.
fn write(path: &Path, content: &Content) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(&content.bytes())?;
    close(file)
}

#[allow(unsafe_code, reason = "std does not tell how close(2) went")]
fn close(file: File) -> io::Result<()> {
    // SAFETY: the number is that of an open file that nobody else owns.
    if unsafe { libc::close(file.into_raw_fd()) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().expect("a number"))
}

fn survives(software: Software, tls: Tls, kills: u64) {
    let seed = number("FTPFS_SEED", u64::from(std::process::id()) * 7919 + 1);
    println!("{software:?}, {tls:?}: FTPFS_SEED={seed}");
    let mut random = Random(seed);
    let lab = Lab::start(software, &Options { tls, ..Options::default() });
    let trusts = if tls == Tls::Off { String::new() } else { format!(",cacert={}", lab.ca().display()) };
    let options = format!("writeback,max_connections=4{trusts}");
    let (place, options) = (Arc::<Place>::default(), ["-o", &options]);
    let (mut files, mut calls, begun) = (0, 0, Instant::now());
    for round in 0..kills {
        let mount = Mount::at(&place, User::Root, &lab.url(""), &options);
        let killed = Arc::new(AtomicBool::new(false));
        let threads: Vec<_> = (0..THREADS)
            .map(|n| {
                let dir = mount.path().join(format!("r{round}t{n}"));
                fs::create_dir(&dir).expect("is made");
                let (random, next) = (Random(random.below(u64::MAX - 1) + 1), (round * THREADS + n) << 32);
                let mut worker = Worker { dir, random, next, files: BTreeMap::new(), calls: 0 };
                let killed = Arc::clone(&killed);
                thread::spawn(move || {
                    worker.run(&killed);
                    worker
                })
            })
            .collect();
        // The moment is the point of it: there is nothing to wait for.
        thread::sleep(Duration::from_millis(random.below(1500)));
        killed.store(true, Ordering::SeqCst);
        signal(mount.pid(), libc::SIGKILL);
        let workers: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("nothing went wrong")).collect();
        mount.gone();
        let log = Mount::at(&place, User::Root, &lab.url(""), &options).unmount();
        assert!(!log.contains("is kept in"), "{log}");
        for (n, worker) in workers.iter().enumerate() {
            let disk = lab.dir().join(format!("r{round}t{n}"));
            let checked = panic::catch_unwind(AssertUnwindSafe(|| worker.check(&disk)));
            files += checked.unwrap_or_else(|cause| {
                let about = format!("r{round}t{n}/");
                let lines = log.lines().filter(|line| line.contains(&about) || line.contains("arning: "));
                eprintln!("--- log\n{}", lines.collect::<Vec<_>>().join("\n"));
                panic::resume_unwind(cause)
            });
            calls += worker.calls;
            fs::remove_dir_all(disk).expect("the disk is ours");
        }
    }
    let took = begun.elapsed().as_secs_f32();
    println!("{software:?}: {kills} kills, {calls} calls, {files} names checked, {took:.0} s");
}

#[test]
fn what_was_promised_outlives_kills() {
    let kills = number("FTPFS_KILLS", 12);
    let limit = Duration::from_secs(120 + 20 * kills);
    with_deadline(limit, "kills", move || survives(Software::Vsftpd, Tls::Off, kills));
}

#[test]
fn what_was_promised_outlives_kills_over_tls() {
    let kills = number("FTPFS_KILLS", 6);
    let limit = Duration::from_secs(120 + 20 * kills);
    with_deadline(limit, "kills over TLS", move || survives(Software::ProFtpd, Tls::Required, kills));
}

const THREADS: u64 = 4;
