use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;

use super::crash::AT;
use super::*;
use crate::remote::{Precision, Stamp};

const IDENTITY: &str = "ftp://user@host/";

/// A spool directory with a journal, and where both are.
struct Place {
    temp: tempfile::TempDir,
    dir: Arc<SpoolDir>,
}

impl Place {
    fn new() -> Self {
        Self::at(tempfile::tempdir().expect("a temporary directory"))
    }

    fn at(temp: tempfile::TempDir) -> Self {
        let dir = SpoolDir::open(temp.path(), None).expect("a spool directory");
        Self { temp, dir }
    }

    fn open(&self) -> (Journal, Vec<Pending>) {
        Journal::open(&self.dir, IDENTITY).expect("opens")
    }

    /// What a crash would leave of it.
    fn copy(&self) -> tempfile::TempDir {
        let copy = tempfile::tempdir().expect("a temporary directory");
        copy_tree(self.temp.path(), copy.path());
        copy
    }

    fn lost(&self) -> Vec<Vec<u8>> {
        let files = fs::read_dir(self.temp.path().join("lost")).into_iter().flatten().map(|e| e.expect("lists").path());
        let mut all: Vec<_> = files.filter(|f| f.extension().is_none()).map(|f| fs::read(f).expect("reads")).collect();
        all.sort();
        all
    }

    /// A file with `content` that has just been written.
    fn spool(&self, content: &[u8]) -> Spool {
        let spool = self.dir.create().expect("creates");
        spool.write_at(0, content).expect("writes");
        spool
    }

    fn queue(&self, journal: &Journal, name: &str, replaces: Option<JournalId>) -> JournalId {
        let job = job(name, name.len() as u64);
        journal.queue(&self.spool(name.as_bytes()), job, replaces).expect("queues")
    }
}

fn copy_tree(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("lists") {
        let entry = entry.expect("lists");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("has one").is_dir() {
            make_dir(&to);
            copy_tree(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("copies");
        }
    }
}

fn make_dir(path: &Path) {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(path).expect("makes");
}

fn path(name: &str) -> RemotePath {
    RemotePath::new(format!("/{name}").as_bytes()).expect("valid")
}

fn job(name: &str, len: u64) -> Job {
    Job { path: path(name), base: None, len, mtime: 1_000, mode: Some(0o644) }
}

fn version(size: u64) -> Version {
    Version { size, mtime: Some(Stamp::exact(5)), unique: Some("a b:c=\u{fc}%".into()) }
}

/// Without the directory, which differs between copies.
fn names(pending: &[Pending]) -> Vec<Pending> {
    let bare = |p: &Pending| Pending { spool: p.spool.file_name().expect("has one").into(), ..p.clone() };
    pending.iter().map(bare).collect()
}

fn content(dir: &Arc<SpoolDir>, pending: &Pending) -> Vec<u8> {
    let mut bytes = vec![0; pending.job.len as usize];
    Spool::open(dir, &pending.spool).expect("is there").read_at(0, &mut bytes).expect("reads");
    bytes
}

/// Some of everything; calls `after` with the journal after each step.
fn history(place: &Place, journal: &Journal, mut after: impl FnMut(&Journal)) {
    after(journal);
    let a = place.queue(journal, "a", None);
    after(journal);
    journal.part(a, &path(".a.part")).expect("writes");
    after(journal);
    let b = place.queue(journal, "bb", None);
    after(journal);
    journal.stored(a, &version(1)).expect("writes");
    after(journal);
    journal.moved(b, &path("b2 \u{fc}"), Some(&version(7)), None).expect("writes");
    after(journal);
    journal.done(a).expect("writes");
    after(journal);
    let c = place.queue(journal, "ccc", Some(b));
    after(journal);
    let d = place.queue(journal, "dddd", None);
    after(journal);
    journal.part(c, &path(".c.part")).expect("writes");
    after(journal);
    journal.moved(d, &path("ccc"), None, Some(c)).expect("writes");
    after(journal);
    let e = place.queue(journal, "eeeee", None);
    after(journal);
    journal.dropped(e).expect("writes");
    after(journal);
    journal.keep(d, "gave up").expect("writes");
    after(journal);
    place.queue(journal, "ffffff", None);
    after(journal);
}

fn state(journal: &Journal) -> Vec<Pending> {
    let ids: Vec<_> = journal.state.lock().items.keys().copied().collect();
    names(&ids.into_iter().filter_map(|id| journal.pending(id)).collect::<Vec<_>>())
}

fn file(journal: &Journal) -> PathBuf {
    journal.path.join("journal")
}

fn living(items: &Items, path: &Path) -> BTreeMap<JournalId, Pending> {
    let living = items.iter().filter(|(_, item)| !item.ended);
    living.map(|(&id, item)| (id, Pending::new(id, item, path))).collect()
}

#[test]
fn what_was_queued_is_there_the_next_time() {
    let place = Place::new();
    let (journal, pending) = place.open();
    assert_eq!(pending, []);
    let mut last = Vec::new();
    history(&place, &journal, |journal| {
        last = state(journal);
    });
    let used = place.dir.used();
    drop(journal);
    let (journal, pending) = place.open();
    assert_eq!(names(&pending), last);
    assert_eq!(pending.len(), 1);
    assert_eq!(content(&place.dir, &pending[0]), b"ffffff");
    assert_eq!(place.dir.used(), used);
    assert_eq!(place.lost(), [b"dddd"]);
    journal.done(pending[0].id).expect("writes");
    assert_eq!(place.dir.used(), 0);
    assert_eq!(journal.pending(pending[0].id), None);
    assert_eq!(journal.done(pending[0].id).expect_err("has ended").kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_new_process_counts_what_is_there() {
    let place = Place::new();
    let (journal, _) = place.open();
    place.queue(&journal, "a", None);
    drop(journal);
    let again = Place::at(place.temp);
    let (journal, pending) = again.open();
    assert_eq!(again.dir.used(), 4096);
    journal.dropped(pending[0].id).expect("writes");
    assert_eq!(again.dir.used(), 0);
}

#[test]
fn cut_anywhere_it_tells_the_beginning() {
    let place = Place::new();
    let (journal, _) = place.open();
    let mut steps = Vec::new();
    history(&place, &journal, |journal| {
        let len = fs::read(file(journal)).expect("reads").len();
        steps.push((len, state(journal)));
    });
    let bytes = fs::read(file(&journal)).expect("reads");
    let relative = file(&journal).strip_prefix(place.dir.path()).expect("below").to_owned();
    drop(journal);
    for cut in 0..=bytes.len() {
        // A cut that leaves all of a line but its end leaves the line.
        let known = steps.iter().rev().find(|(len, _)| *len <= cut + 1).map_or(&[][..], |(_, state)| state);
        let replay = replay(&bytes[..cut]).expect("is of this version");
        let told: Vec<_> = living(&replay.items, Path::new("")).into_values().collect();
        assert_eq!(told, known, "cut at {cut}");
        assert_eq!((replay.damaged, replay.doubtful), (0, vec![]), "cut at {cut}");
        // And what it looks like from the outside, at the more interesting places.
        if steps.iter().any(|(len, _)| cut.abs_diff(*len) <= 2) || cut < 3 {
            let copy = Place::at(place.copy());
            fs::write(copy.dir.path().join(&relative), &bytes[..cut]).expect("writes");
            let (journal, pending) = copy.open();
            let mut there = known.to_vec();
            there.retain(|p| {
                p.spool == pending.last().map_or(PathBuf::new(), |p| p.spool.file_name().expect("is").into())
            });
            assert_eq!(names(&pending), there, "cut at {cut}");
            assert!(pending.len() <= 1, "only the last of the contents has not been removed");
            assert_eq!(pending.len() + copy.lost().len(), 2, "cut at {cut}: nothing is deleted");
            // What comes next is found after what was cut.
            let next = copy.queue(&journal, "next", None);
            drop(journal);
            let (_, pending) = copy.open();
            assert_eq!(pending.last().map(|p| p.id), Some(next), "cut at {cut}");
        }
    }
}

#[test]
fn one_flipped_bit_loses_what_it_concerns_and_invents_nothing() {
    let place = Place::new();
    let (journal, _) = place.open();
    let (mut before_last, mut last) = (BTreeMap::new(), BTreeMap::new());
    history(&place, &journal, |journal| {
        before_last = std::mem::replace(&mut last, living(&journal.state.lock().items, Path::new("")));
    });
    // So that some that live are not at the end.
    let e = place.queue(&journal, "g", None);
    journal.part(e, &path("part")).expect("writes");
    let f = place.queue(&journal, "h", None);
    journal.moved(f, &path("12.1"), None, None).expect("writes");
    before_last.clone_from(&last);
    last = living(&journal.state.lock().items, Path::new(""));
    let bytes = fs::read(file(&journal)).expect("reads");
    let tail = bytes[..bytes.len() - 1].iter().rposition(|&b| b == b'\n').expect("many lines");
    let ids = || (0..20).map(JournalId);
    let mut whole = 0;
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let replay = replay(&bytes).expect("is of this version");
        let told = living(&replay.items, Path::new(""));
        for id in ids().filter(|id| !replay.doubtful.contains(id)) {
            match (told.get(&id), last.get(&id)) {
                (Some(told), Some(truth)) if told == truth => whole += 1,
                (None, _) => {}
                // The last line cannot be told from one that a crash has torn.
                (Some(told), _) if bit / 8 >= tail && (told.id == f || Some(told) == before_last.get(&id)) => {}
                (told, truth) => panic!("bit {bit}: {told:?} is not {truth:?}"),
            }
        }
        assert!(!replay.clean, "bit {bit}: damage is not appended to");
    }
    assert!(whole > bytes.len() * 8 * 3 / 2, "most of the three that live are found: {whole}");
}

#[test]
fn what_a_damaged_record_concerns_goes_to_lost() {
    let place = Place::new();
    let (journal, _) = place.open();
    place.queue(&journal, "a", None);
    let b = place.queue(&journal, "bb", None);
    journal.moved(b, &path("elsewhere"), None, None).expect("writes");
    place.queue(&journal, "ccc", None);
    let file = file(&journal);
    drop(journal);
    let text = fs::read_to_string(&file).expect("reads");
    fs::write(&file, text.replace("/elsewhere", "/elsewhara")).expect("writes");
    let (journal, pending) = place.open();
    let told: Vec<_> = pending.iter().map(|p| content(&place.dir, p)).collect();
    assert_eq!(told, [&b"a"[..], b"ccc"]);
    assert_eq!(place.lost(), [b"bb"]);
    drop(journal);
    assert_eq!(place.open().1, pending, "the damage is gone");
    assert_eq!(place.lost().len(), 1);
}

#[test]
fn a_content_of_another_length_is_not_stored() {
    let place = Place::new();
    let (journal, _) = place.open();
    let a = place.queue(&journal, "a", None);
    let b = place.queue(&journal, "bb", None);
    let spool = journal.pending(b).expect("lives").spool;
    fs::remove_file(journal.pending(a).expect("lives").spool).expect("removes");
    drop(journal);
    fs::write(&spool, "b").expect("writes");
    let (_, pending) = place.open();
    assert_eq!(pending, []);
    assert_eq!(place.lost(), [b"b"]);
    assert_eq!(place.dir.used(), 0);
}

#[test]
fn a_newer_format_is_left_alone() {
    let place = Place::new();
    let (journal, _) = place.open();
    place.queue(&journal, "a", None);
    let file = file(&journal);
    drop(journal);
    let text = fs::read_to_string(&file).expect("reads");
    let newer = text.replace(&record::header(), &record::header_of(2));
    fs::write(&file, &newer).expect("writes");
    assert_eq!(Journal::open(&place.dir, IDENTITY).expect_err("newer").kind(), io::ErrorKind::InvalidData);
    assert_eq!(fs::read_to_string(&file).expect("reads"), newer);
    assert!(place.lost().is_empty());
}

#[test]
fn one_mount_at_a_time() {
    let place = Place::new();
    let (journal, _) = place.open();
    let error =
        Journal::open(&SpoolDir::open(place.temp.path(), None).expect("opens"), IDENTITY).expect_err("is locked");
    assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
    let (_other, _) = Journal::open(&place.dir, "ftp://other/").expect("another server");
    drop(journal);
    place.open();
}

#[test]
fn a_long_journal_of_the_dead_is_written_anew() {
    let place = Place::new();
    let (journal, _) = place.open();
    let a = place.queue(&journal, "a", None);
    for _ in 0..FEW_LINES + 10 {
        journal.part(a, &path("part")).expect("writes");
    }
    let lines = |journal: &Journal| fs::read_to_string(file(journal)).expect("reads").lines().count();
    assert!(lines(&journal) < 20, "{} lines", lines(&journal));
    journal.stored(a, &version(1)).expect("writes");
    let before = state(&journal);
    drop(journal);
    assert_eq!(names(&place.open().1), before);
}

/// Runs `call` at each of whose steps the disk is looked at as a crash would leave it: either what was known before or
/// what is known afterwards must be found, and no content may be gone.
fn crash_everywhere(place: &Place, journal: &Journal, contents: usize, call: impl FnOnce()) {
    type Copies = Rc<RefCell<Vec<(&'static str, tempfile::TempDir)>>>;
    let copies = Copies::default();
    let before = state(journal);
    let (sink, root) = (Rc::clone(&copies), place.temp.path().to_owned());
    AT.set(Some(Box::new(move |step| {
        let copy = tempfile::tempdir().expect("a temporary directory");
        copy_tree(&root, copy.path());
        sink.borrow_mut().push((step, copy));
    })));
    call();
    AT.set(None);
    let after = state(journal);
    let copies = Rc::try_unwrap(copies).expect("the hook is gone").into_inner();
    assert!(copies.len() > 1, "the call has steps");
    for (step, copy) in copies {
        let copy = Place::at(copy);
        let (_journal, pending) = copy.open();
        assert!([&before, &after].contains(&&names(&pending)), "{step}: {pending:?}");
        for item in &pending {
            assert_eq!(content(&copy.dir, item).len() as u64, item.job.len, "{step}");
        }
        let there = pending.len() + copy.lost().len();
        assert!(there >= before.len().min(after.len()) && there >= contents, "{step}: {there}");
        let queued = fs::read_dir(&_journal.path).expect("lists").map(|e| e.expect("lists").file_name());
        let spools = queued.filter(|name| name.to_str().is_some_and(is_spool_name)).count();
        assert_eq!(spools, pending.len(), "{step}: no file without a record");
    }
}

#[test]
fn a_crash_between_any_two_steps_keeps_what_was_promised() {
    let place = Place::new();
    let (journal, _) = place.open();
    let mut ids = Vec::new();
    crash_everywhere(&place, &journal, 0, || ids.push(place.queue(&journal, "a", None)));
    crash_everywhere(&place, &journal, 1, || ids.push(place.queue(&journal, "bb", None)));
    let (a, b) = (ids[0], ids[1]);
    crash_everywhere(&place, &journal, 2, || journal.part(a, &path("part")).expect("writes"));
    crash_everywhere(&place, &journal, 2, || journal.stored(a, &version(1)).expect("writes"));
    crash_everywhere(&place, &journal, 2, || journal.state.lock().rewrite().expect("writes"));
    crash_everywhere(&place, &journal, 2, || journal.moved(b, &path("c"), Some(&version(3)), None).expect("writes"));
    crash_everywhere(&place, &journal, 2, || ids.push(place.queue(&journal, "new", Some(b))));
    crash_everywhere(&place, &journal, 1, || journal.done(a).expect("writes"));
    let c = ids[2];
    crash_everywhere(&place, &journal, 1, || ids.push(place.queue(&journal, "dddd", None)));
    let d = ids[3];
    crash_everywhere(&place, &journal, 1, || journal.moved(c, &path("dddd"), None, Some(d)).expect("writes"));
    crash_everywhere(&place, &journal, 1, || drop(journal.keep(c, "gave up").expect("keeps")));
    assert_eq!(place.lost(), [b"new"]);
    // With dead records in the file.
    crash_everywhere(&place, &journal, 1, || journal.state.lock().rewrite().expect("writes"));
    crash_everywhere(&place, &journal, 1, || ids.push(place.queue(&journal, "e", None)));
}

#[test]
fn an_item_that_has_ended_is_not_replaced() {
    let place = Place::new();
    let (journal, _) = place.open();
    let a = place.queue(&journal, "a", None);
    journal.done(a).expect("writes");
    let b = place.queue(&journal, "bb", Some(a));
    journal.moved(b, &path("c"), None, Some(b)).expect("not by itself");
    drop(journal);
    let (_, pending) = place.open();
    assert_eq!(pending.iter().map(|p| p.id).collect::<Vec<_>>(), [b]);
}

#[test]
fn a_queue_that_fails_leaves_nothing_behind() {
    let place = Place::new();
    let (journal, _) = place.open();
    let a = place.queue(&journal, "a", None);
    let doomed = place.queue(&journal, "doomed", None);
    let spool = place.spool(b"second");
    // The journal has to be written anew, and cannot.
    let (doubtful, _) = Log::open(&journal.path).expect("opens");
    journal.state.lock().log = doubtful;
    fs::create_dir(journal.path.join("journal.new")).expect("in the way");
    journal.queue(&spool, job("second", 6), None).expect_err("cannot be written");
    journal.done(a).expect_err("cannot be written");
    assert_eq!(state(&journal).len(), 2, "they still live");
    journal.keep(doomed, "gave up").expect("needs no record");
    assert_eq!(state(&journal).len(), 1);
    let kept = spool.keep("second").expect("still has its content");
    assert_eq!(fs::read(kept).expect("reads"), b"second");
    fs::remove_dir(journal.path.join("journal.new")).expect("out of the way");
    let b = place.queue(&journal, "bb", None);
    drop(journal);
    assert_eq!(place.open().1.iter().map(|p| p.id).collect::<Vec<_>>(), [a, b]);
}

fn any_path() -> impl Strategy<Value = RemotePath> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 1..6), 0..3).prop_filter_map("a path", |parts| {
        let parts: Vec<_> = parts.iter().map(|part| [b"/", &part[..]].concat()).collect();
        RemotePath::new(&[&b"/"[..], &parts.concat()].concat())
    })
}

fn any_version() -> impl Strategy<Value = Version> {
    let precision = prop_oneof![Just(Precision::Day), Just(Precision::Minute), Just(Precision::Second)];
    let stamp = (any::<i64>(), 0..1_000_000_000_u32, precision).prop_map(|(secs, nanos, p)| Stamp {
        secs,
        nanos,
        precision: p,
    });
    (any::<u64>(), prop::option::of(stamp), prop::option::of(".{0,4}")).prop_map(|(size, mtime, unique)| Version {
        size,
        mtime,
        unique: unique.map(Into::into),
    })
}

fn any_fact() -> impl Strategy<Value = Fact> {
    let step =
        || prop::option::of((any::<u64>(), any::<u64>()).prop_map(|(id, count)| Step { id: JournalId(id), count }));
    let base = || prop::option::of(any_version());
    let job = (any_path(), base(), any::<u64>(), any::<i64>(), prop::option::of(0..0o10000_u16));
    let job = job.prop_map(|(path, base, len, mtime, mode)| Job { path, base, len, mtime, mode });
    prop_oneof![
        (job, "[a-z0-9]{1,8}\\.spool", step()).prop_map(|(job, file, replaces)| Fact::Queued { job, file, replaces }),
        (any_path(), base(), step()).prop_map(|(path, base, replaces)| Fact::Moved { path, base, replaces }),
        any_path().prop_map(|part| Fact::Part { part }),
        any_version().prop_map(|version| Fact::Stored { version }),
        Just(Fact::Done),
        Just(Fact::Dropped),
    ]
}

proptest! {
    #[test]
    fn a_record_comes_back_as_it_was(id in any::<u64>(), count in any::<u64>(), fact in any_fact()) {
        let record = Record { step: Step { id: JournalId(id), count }, fact };
        let line = record.encode();
        prop_assert_eq!(line.matches('\n').count(), 1);
        prop_assert!(!line.contains('\0'));
        prop_assert_eq!(Record::decode(line.as_bytes()), Some(record.clone()));
        let guessed = Record::guess(line.as_bytes());
        prop_assert!(record.steps().all(|step| guessed.contains(&step)));
    }

    #[test]
    fn any_bytes_are_a_journal(bytes in prop::collection::vec(any::<u8>(), 0..200), head in any::<bool>()) {
        let header = if head { record::header() } else { String::new() };
        let replay = replay(&[header.as_bytes(), &bytes].concat()).expect("is of no other version");
        prop_assert!(replay.items.is_empty());
    }

    #[test]
    fn a_summary_says_the_same(facts in prop::collection::vec((0..4_u64, any_fact()), 0..30)) {
        let mut items = Items::new();
        let mut text = record::header();
        for (id, mut fact) in facts {
            let id = JournalId(id);
            if let Fact::Queued { replaces, .. } | Fact::Moved { replaces, .. } = &mut fact {
                *replaces = None;
            }
            // As the journal does: the first is Queued, once, and nothing comes after the end.
            if matches!(fact, Fact::Queued { .. }) == items.contains_key(&id) || items.get(&id).is_some_and(|i: &Item| i.ended) {
                continue;
            }
            let count = items.get(&id).map_or(0, |item| item.steps);
            let record = Record { step: Step { id, count }, fact };
            text.push_str(&record.encode());
            apply(&mut items, record);
        }
        let told = replay(text.as_bytes()).expect("is of this version");
        prop_assert!(told.clean && told.doubtful.is_empty());
        prop_assert_eq!(&told.items, &items);
        let mut short = record::header();
        for (&id, item) in &items {
            for (fact, count) in item.summary().into_iter().zip(0..) {
                short.push_str(&Record { step: Step { id, count }, fact }.encode());
            }
        }
        let told = replay(short.as_bytes()).expect("is of this version");
        prop_assert!(told.clean && told.doubtful.is_empty());
        prop_assert_eq!(living(&told.items, Path::new("")), living(&items, Path::new("")));
    }
}
