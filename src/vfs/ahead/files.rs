//! Small files ahead: who reads the files of a directory one after the other finds the next ones in memory.
//!
//! A *run* is recognised when a file is opened that stands closely behind the one opened last, in the order in which the
//! directory was read. From then on the small files that come next are fetched, the nearest first: only a few to begin
//! with, twice as many after each one that was wanted, half as many after each one that was passed by. So a program that
//! reads everything is never without, and one that reads each tenth file starts no run at all. What is fetched and not
//! read is bounded by the window of files, and in bytes by a quarter of the memory for content.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::base::Deadline;
use crate::remote::{Kind, Meta, Version};
use crate::vfs::dir::Listing;
use crate::vfs::node::Ino;
use crate::vfs::ops::Vfs;

/// What is known of programs that read files one after the other.
#[derive(Default)]
pub(super) struct Runs {
    /// The latest at the end.
    runs: VecDeque<Run>,
    /// Files on their way.
    running: usize,
}

/// One program on its way through a directory.
#[derive(Debug)]
struct Run {
    dir: Ino,
    /// What that lies in.
    above: Ino,
    /// Where the file stands that was opened last.
    at: usize,
    latest: Instant,
    /// Files to be fetched ahead at most; none as long as it is no run.
    window: usize,
    /// It goes by the names, as rsync does, whatever order the server lists them in.
    sorted: bool,
    /// Fetched, or on their way, and not opened yet.
    ahead: VecDeque<(Ino, u64)>,
    /// What is to be fetched next.
    wanted: VecDeque<(Ino, u64)>,
}

impl Runs {
    /// Where in `dir` the file stands that was opened there before `ino`, unless what stands at `at` is next to that or was
    /// foreseen.
    fn left_off(&self, ino: Ino, dir: Ino, at: usize) -> Option<usize> {
        let run = self.runs.iter().find(|run| run.dir == dir).filter(|_| !self.expects(ino))?;
        (at != run.at && !follows(run.at, at)).then_some(run.at)
    }

    /// The file `ino` has been opened, which stands at `at` in `dir`, and that in `above`; `ranks` are where the one before
    /// and this one stand in the order of names, where that matters. Tells the files that were fetched for nothing, and the
    /// place of the run that it belongs to.
    fn step(
        &mut self,
        ino: Ino,
        (above, dir): (Ino, Ino),
        at: usize,
        ranks: Option<(usize, usize)>,
        now: Instant,
    ) -> (Vec<Ino>, usize) {
        let mut passed = Vec::new();
        for run in self.runs.iter_mut().filter(|run| now.duration_since(run.latest) >= STOPPED) {
            passed.extend(run.ahead.drain(..).map(|(ino, _)| ino));
            run.window = 0;
        }
        let foreseen = self.runs.iter().position(|run| run.ahead.iter().any(|(ahead, _)| *ahead == ino));
        let same = foreseen.or_else(|| self.runs.iter().position(|run| run.dir == dir));
        let mut run = match same.and_then(|at| self.runs.remove(at)) {
            Some(run) => run,
            None => Run::new(dir, at, self.inherited(above, dir), now),
        };
        match run.ahead.iter().position(|(ahead, _)| *ahead == ino) {
            Some(place) => {
                // Threads of one program may be a few files apart.
                let late = place.saturating_sub(BESIDE);
                passed.extend(run.ahead.drain(..late).map(|(ino, _)| ino));
                run.ahead.retain(|(ahead, _)| *ahead != ino);
                run.window = if late == 0 { (run.window * 2).min(MOST_WINDOW) } else { (run.window / 2).max(1) };
            }
            None if same.is_none() || at == run.at => {}
            None if run.dir == dir && follows(run.at, at) => {
                run.window = run.window.max(FIRST_WINDOW);
                run.sorted = false;
            }
            None if run.dir == dir && ranks.is_some_and(|(before, now)| follows(before, now)) => {
                run.window = run.window.max(FIRST_WINDOW);
                run.sorted = true;
            }
            None if run.dir == dir && run.at.wrapping_sub(at) <= BESIDE => {}
            None => {
                passed.extend(run.ahead.drain(..).map(|(ino, _)| ino));
                run.window = 0;
            }
        }
        (run.dir, run.above, run.at, run.latest) = (dir, above, at, now);
        run.wanted.clear();
        self.runs.push_back(run);
        if self.runs.len() > MOST_RUNS
            && let Some(oldest) = self.runs.pop_front()
        {
            passed.extend(oldest.ahead.into_iter().map(|(ino, _)| ino));
        }
        (passed, self.runs.len() - 1)
    }

    /// Who comes from a directory where all was read begins in the next one as it was.
    fn inherited(&self, above: Ino, dir: Ino) -> usize {
        let near = |run: &&Run| run.dir == above || run.above == above || run.above == dir;
        self.runs.back().filter(near).map_or(0, |run| run.window)
    }

    /// Whether nobody has opened `ino` yet, for whom it is fetched ahead.
    fn expects(&self, ino: Ino) -> bool {
        self.runs.iter().any(|run| run.ahead.iter().any(|(ahead, _)| *ahead == ino))
    }

    /// Bytes fetched ahead, or on their way.
    fn bytes(&self) -> u64 {
        self.runs.iter().flat_map(|run| &run.ahead).map(|(_, size)| size).sum()
    }

    /// The next file to be fetched.
    fn next(&mut self, spare: impl FnOnce(usize) -> bool, most_bytes: u64) -> Option<Ino> {
        let bytes = self.bytes();
        let run = self.runs.iter_mut().rev().find(|run| !run.wanted.is_empty() && run.ahead.len() < run.window)?;
        let (_, size) = run.wanted.front()?;
        if self.running >= MOST_FILES_AT_ONCE || bytes + size > most_bytes || !spare(self.running) {
            return None;
        }
        let next = run.wanted.pop_front()?;
        run.ahead.push_back(next);
        self.running += 1;
        Some(next.0)
    }
}

impl Run {
    fn new(dir: Ino, at: usize, window: usize, now: Instant) -> Self {
        Self {
            dir,
            above: dir,
            at,
            latest: now,
            window,
            sorted: false,
            ahead: VecDeque::new(),
            wanted: VecDeque::new(),
        }
    }
}

/// Whether place `at` is near enough behind `before` for one program to open first the one and then the other.
fn follows(before: usize, at: usize) -> bool {
    at > before && at - before <= STRIDE
}

impl Vfs {
    /// A program has opened the file `ino` to read it.
    pub(in crate::vfs) fn read_on(self: &Arc<Self>, ino: Ino) {
        let Some((dir, name)) = self.nodes.place(ino) else { return };
        let Some(listing) = self.dirs.get(dir, self.dir_ttl) else { return };
        let Some(at) = listing.find(name.as_bytes()) else { return };
        let above = self.nodes.parent(dir);
        let before = self.ahead.runs.lock().left_off(ino, dir, at);
        let ranks = before.and_then(|before| listing.rank(before).zip(listing.rank(at)));
        let (passed, room, sorted) = {
            let mut runs = self.ahead.runs.lock();
            let (passed, run) = runs.step(ino, (above, dir), at, ranks, Instant::now());
            let run = &runs.runs[run];
            (passed, run.window.saturating_sub(run.ahead.len()), run.sorted)
        };
        for ino in passed {
            self.reading.drop_ahead(ino);
        }
        if room == 0 {
            return;
        }
        let mut wanted = VecDeque::new();
        self.files_behind(dir, &listing, at, sorted, &mut wanted);
        let mut runs = self.ahead.runs.lock();
        if let Some(run) = runs.runs.iter_mut().find(|run| run.dir == dir && run.at == at) {
            wanted.retain(|file| !run.ahead.contains(file));
            run.wanted = wanted;
        }
        drop(runs);
        self.fetch_ahead();
    }

    /// The small files that come behind place `from` of `dir` on a way that leads through the whole tree, by the order of the
    /// names or by that of the listings.
    fn files_behind(&self, dir: Ino, listing: &Listing, from: usize, sorted: bool, wanted: &mut VecDeque<(Ino, u64)>) {
        let mut look = Look { sorted, left: MOST_LOOKED_AT, wanted };
        self.files_in(dir, listing, Some(from), DEEPEST, &mut look);
        let mut at = dir;
        for _ in 0..DEEPEST {
            if at == Ino::ROOT || look.is_over() {
                return;
            }
            let Some((above, name)) = self.nodes.place(at) else { return };
            if let Some(listing) = self.dirs.get(above, self.dir_ttl)
                && let Some(place) = listing.find(name.as_bytes())
            {
                self.files_in(above, &listing, Some(place), DEEPEST, &mut look);
            }
            at = above;
        }
    }

    fn files_in(&self, dir: Ino, listing: &Listing, behind: Option<usize>, depth: u32, look: &mut Look<'_>) {
        let order = if look.sorted { listing.by_name() } else { None };
        let behind = behind.and_then(|at| if look.sorted { listing.rank(at) } else { Some(at) });
        let from = behind.map_or(0, |at| at + 1);
        for n in from..listing.len() {
            if look.is_over() {
                return;
            }
            look.left -= 1;
            let Some(at) = order.as_ref().map_or(Some(n), |order| order.get(n).copied()) else { continue };
            let Some((name, meta, _)) = listing.entry(at) else { continue };
            let Some(ino) = self.nodes.find(dir, &name) else { continue };
            match meta.kind {
                Kind::Dir if depth > 0 => {
                    if let Some(below) = self.dirs.get(ino, self.dir_ttl) {
                        self.files_in(ino, &below, None, depth - 1, look);
                    }
                }
                Kind::File => {
                    if let Some(size) = meta.size.filter(|size| (1..=SMALL).contains(size))
                        && self.writing.writer(ino).is_none()
                        && !self.reading.has_begun(ino)
                    {
                        look.wanted.push_back((ino, size));
                    }
                }
                Kind::Dir | Kind::Symlink { .. } | Kind::Other => {}
            }
        }
    }

    /// Fetches what is wanted, as far as there are connections that nobody needs.
    fn fetch_ahead(self: &Arc<Self>) {
        let most = self.reading.blocks.limit() as u64 / SHARE;
        loop {
            let next = self.ahead.runs.lock().next(|running| self.remote.has_spare(running), most);
            let Some(ino) = next else { return };
            let vfs = Arc::clone(self);
            // Also where no thread can be had.
            let ended = Ended(Arc::clone(&vfs));
            self.prefetchers.run(move || {
                if let Ok(known) = vfs.refresh(ino, Deadline::after(vfs.timeout))
                    && let Meta { kind: Kind::File, size: Some(size), mtime, unique, .. } = known.meta
                    && vfs.writing.writer(ino).is_none()
                    // Or it has been opened meanwhile, and perhaps closed.
                    && vfs.ahead.runs.lock().expects(ino)
                {
                    vfs.reading.fetch_ahead(ino, &Version { size, mtime, unique });
                }
                drop(ended);
                vfs.fetch_ahead();
            });
        }
    }
}

/// What is looked for behind a file.
struct Look<'a> {
    /// By the names.
    sorted: bool,
    /// Entries that may still be looked at: where nothing is wanted, each open is not to cost more than that.
    left: usize,
    wanted: &'a mut VecDeque<(Ino, u64)>,
}

impl Look<'_> {
    fn is_over(&self) -> bool {
        self.left == 0 || self.wanted.len() >= MOST_WINDOW
    }
}

/// A file that is fetched no more, however that ended.
struct Ended(Arc<Vfs>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.ahead.runs.lock().running -= 1;
    }
}

/// Files of more bytes are read while they arrive, and are no worse off for beginning late.
const SMALL: u64 = 1 << 20;

/// How far behind the last one a file may stand to be the next one: between them lie those that a program passes by.
const STRIDE: usize = 4;

/// How far apart the threads of one program may be.
const BESIDE: usize = 8;

/// Files fetched ahead when a run begins, and at most.
const FIRST_WINDOW: usize = 2;
const MOST_WINDOW: usize = 32;

/// The share of the memory for content that may hold what nobody has asked for.
const SHARE: u64 = 4;

/// Files fetched ahead at once.
pub(in crate::vfs) const MOST_FILES_AT_ONCE: usize = 16;

/// Programs that are followed at once.
const MOST_RUNS: usize = 8;

/// A run that has not gone on for so long has stopped.
const STOPPED: Duration = Duration::from_secs(5);

/// Entries that are looked at for one file that is opened.
const MOST_LOOKED_AT: usize = 256;

/// Directories above and below that are looked into.
const DEEPEST: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const DIR: Ino = Ino(2);

    fn file(at: usize) -> Ino {
        Ino(100 + at as u64)
    }

    /// Opens the file at `at`, and fetches ahead all that may be.
    fn open(runs: &mut Runs, at: usize) -> (bool, usize) {
        let known: Vec<_> = runs.runs.iter().flat_map(|run| &run.ahead).map(|(ino, _)| *ino).collect();
        let (_, run) = runs.step(file(at), (Ino::ROOT, DIR), at, None, Instant::now());
        let run = &mut runs.runs[run];
        let wanted = (at + 1..at + 100).map(|at| (file(at), 1)).filter(|file| !run.ahead.contains(file));
        run.wanted = wanted.collect();
        let mut fetched = 0;
        while runs.next(|_| true, 1 << 20).is_some() {
            runs.running -= 1;
            fetched += 1;
        }
        (known.contains(&file(at)), fetched)
    }

    #[test]
    fn who_reads_all_files_waits_for_the_first_two_alone() {
        let mut runs = Runs::default();
        let opened: Vec<_> = (0..100).map(|at| open(&mut runs, at)).collect();
        assert!(opened.iter().skip(2).all(|(foreseen, _)| *foreseen));
        let fetched: usize = opened.iter().map(|(_, fetched)| fetched).sum();
        assert!(fetched <= 98 + MOST_WINDOW, "{fetched}");
        assert_eq!(runs.runs[0].window, MOST_WINDOW);
    }

    #[test]
    fn who_reads_each_tenth_file_gets_nothing_ahead() {
        let mut runs = Runs::default();
        assert!((0..100).map(|n| open(&mut runs, n * 10)).all(|(_, fetched)| fetched == 0));
    }

    #[test]
    fn who_reads_each_third_file_gets_few_in_vain() {
        let mut runs = Runs::default();
        let opened: Vec<_> = (0..100).map(|n| open(&mut runs, n * 3)).collect();
        let (wanted, fetched) = (
            opened.iter().filter(|(foreseen, _)| *foreseen).count(),
            opened.iter().map(|(_, fetched)| fetched).sum::<usize>(),
        );
        assert!(fetched <= 3 * wanted + MOST_WINDOW, "{fetched} fetched, {wanted} of them for something");
    }

    #[test]
    fn who_goes_by_the_names_is_known_by_them() {
        let mut runs = Runs::default();
        runs.step(file(70), (Ino::ROOT, DIR), 70, None, Instant::now());
        assert_eq!(runs.left_off(file(30), DIR, 30), Some(70));
        let (_, run) = runs.step(file(30), (Ino::ROOT, DIR), 30, Some((0, 1)), Instant::now());
        assert_eq!((runs.runs[run].window, runs.runs[run].sorted), (FIRST_WINDOW, true));
        assert_eq!(runs.left_off(file(31), DIR, 31), None, "next to it");
        let (_, run) = runs.step(file(90), (Ino::ROOT, DIR), 90, Some((1, 40)), Instant::now());
        assert_eq!(runs.runs[run].window, 0, "far by the names as well");
    }

    #[test]
    fn a_jump_ends_a_run_and_what_was_fetched_for_it_is_let_go() {
        let mut runs = Runs::default();
        (0..10).for_each(|at| assert!(open(&mut runs, at).1 <= MOST_WINDOW));
        let (passed, _) = runs.step(file(500), (Ino::ROOT, DIR), 500, None, Instant::now());
        assert!(!passed.is_empty());
        assert_eq!((runs.bytes(), runs.runs[0].window), (0, 0));
    }

    #[test]
    fn memory_and_connections_bound_what_is_fetched() {
        let mut runs = Runs::default();
        (0..10).for_each(|at| assert!(open(&mut runs, at).1 <= MOST_WINDOW));
        runs.step(file(10), (Ino::ROOT, DIR), 10, None, Instant::now());
        runs.runs[0].wanted = (500..600).map(|at| (file(at), 1000)).collect();
        assert!(runs.next(|_| false, 1 << 20).is_none(), "somebody needs the connections");
        let bytes = runs.bytes();
        assert!(runs.next(|_| true, bytes + 999).is_none(), "too many bytes");
        assert!(runs.next(|_| true, bytes + 1000).is_some());
        assert!(runs.next(|_| true, bytes + 1000).is_none());
    }
}
