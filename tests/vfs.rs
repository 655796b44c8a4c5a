//! The filesystem against a scripted server: what programs are told when transfers break, stall, lie or change.

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use ftpfs::base::Clock;
use ftpfs::config::{Files, Server};
use ftpfs::remote::ErrorKind;
use ftpfs::vfs::{Fault as Told, How, Ino, KernelCache};
use parking_lot::Mutex;
use support::client::{AMPLE, config};
use support::files::{Fs, answer, fault, files};
use support::server::{Cut, DEFAULT_MTIME, End, FakeServer, Fault, Personality, Refusal, Stage, Tree, fill_pattern};

const MIB: u64 = 1 << 20;

fn tree() -> Tree {
    Tree::new().dir("d").file("d/a.txt", b"hello world", DEFAULT_MTIME).file_pattern("d/big", 40 * MIB + 17, 7).file(
        "empty",
        b"",
        DEFAULT_MTIME,
    )
}

fn pattern(from: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fill_pattern(7, from, &mut bytes);
    bytes
}

/// A server that must answer within 300 ms.
fn hurried(server: &FakeServer) -> Server {
    Server { timeout: Duration::from_millis(300), ..config(server) }
}

#[test]
fn files_are_read_as_they_are() {
    for personality in [Personality::mlsd(), Personality::proftpd(), Personality::unix_list(), Personality::iis()] {
        let server = FakeServer::start(personality, tree());
        let fs = Fs::new(&server);
        assert_eq!(fs.read_all("d/a.txt").expect("readable"), b"hello world");
        assert_eq!(fs.read_all("empty").expect("readable"), b"");
        assert!(fs.read_all("d/big").expect("readable") == pattern(0, 40 * MIB as usize + 17));
        assert!(fs.look("d/nothing").expect("the server answers").is_none());
        assert_eq!(fs.names(Ino::ROOT).expect("a listing").len(), 2);
    }
}

#[test]
fn a_listed_name_costs_nothing_more() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    let fs = Fs::new(&server);
    fs.names(Ino::ROOT).expect("a listing");
    server.reset_flights();
    let attr = fs.look("empty").expect("the server answers").expect("it exists");
    assert_eq!(attr.mtime, SystemTime::UNIX_EPOCH + Duration::from_secs(DEFAULT_MTIME as u64));
    assert!(fs.look("nothing").expect("the server answers").is_none());
    assert_eq!(server.work_flights(), 0, "{}", server.log());
    fs.look("d/a.txt").expect("the server answers").expect("it exists");
    // A channel is opened ahead behind the second listing.
    assert_eq!(server.armed_flights(), 1, "one listing: {}", server.log());
    server.reset_flights();
    let fh = fs.open("d/a.txt").expect("it opens");
    assert_eq!(server.armed_flights(), 0, "{}", server.log());
    fs.read(fh, 0, 4096).expect("readable");
    assert_eq!(server.armed_flights(), 1, "{}", server.log());
}

#[test]
fn stat_of_a_thousand_listed_files_takes_some_thirty_flights() {
    let server = FakeServer::start(Personality::unix_list(), Tree::new().many("many", 1000));
    let fs = Fs::new(&server);
    let dir = fs.ino("many");
    let names = fs.names(dir).expect("a listing");
    server.reset_flights();
    fs.names(dir).expect("a listing");
    assert_eq!(server.work_flights(), 0, "who only wants the names pays for no times");
    for name in &names {
        let attr = fs.look(&format!("many/{name}")).expect("the server answers").expect("it exists");
        assert_eq!(attr.mtime, SystemTime::UNIX_EPOCH + Duration::from_secs(DEFAULT_MTIME as u64));
    }
    assert!(server.work_flights() <= 34, "{} flights", server.work_flights());
}

#[test]
fn a_transfer_that_breaks_is_taken_up_again() {
    let cuts = [
        ("reset", Cut::both(End::Rst)),
        ("end", Cut::both(End::Fin)),
        ("short, 426", Cut::data(End::Fin).saying("426 Failure writing network stream.")),
        ("short, 226", Cut::data(End::Fin).saying("226 Transfer complete.")),
        ("control lost", Cut::control(End::Rst)),
    ];
    for (what, cut) in cuts {
        let server = FakeServer::start(Personality::mlsd(), tree());
        let fs = Fs::new(&server);
        server.fault(Fault::cut(Stage::Data(5 * MIB + 3), cut.clone()).times(1));
        server.fault(Fault::cut(Stage::Data(7 * MIB), cut).nth(2));
        assert!(fs.read_all("d/big").expect("readable") == pattern(0, 40 * MIB as usize + 17), "{what}");
    }
}

#[test]
fn a_transfer_that_always_breaks_fails_and_is_no_early_end() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    let fs = Fs::new(&server);
    let fh = fs.open("d/big").expect("it opens");
    server.fault(Fault::cut(Stage::Data(0), Cut::data(End::Fin).saying("226 Transfer complete.")));
    assert_eq!(fault(fs.read(fh, 0, 4096)), Told::Broken);
    server.heal();
}

#[test]
fn silence_is_told_within_the_timeout_at_every_stage() {
    for stage in [Stage::Epsv, Stage::Accept, Stage::AfterOpening, Stage::Data(1000), Stage::Reply("RETR")] {
        let server = FakeServer::start(Personality::mlsd(), tree());
        let fs = Fs::with(&Server { max_connections: 1, ..hurried(&server) }, &files());
        let fh = fs.open("d/big").expect("it opens");
        server.fault(Fault::stall(stage));
        // A channel that is open already would need neither EPSV nor accept(2).
        server.close_idle_connections();
        let told = fault(fs.read(fh, 0, 128 * 1024));
        assert_eq!(told, Told::Remote(ErrorKind::TimedOut), "{stage:?}");
        // The kernel asks once more for the page that the program wants: that must not take as long again.
        // Each attempt may have brought a little: after five of them the page is there.
        match fs.read(fh, 0, 4096) {
            Ok(_) if matches!(stage, Stage::Data(_)) => {}
            told => assert_eq!(fault(told), Told::Remote(ErrorKind::TimedOut), "{stage:?}"),
        }
    }
}

#[test]
fn a_stalled_server_stops_nobody_who_asks_for_what_is_known() {
    let mut tree = tree();
    for i in 0..64 {
        tree.write_pattern(format!("d/f{i}"), MIB, i, DEFAULT_MTIME);
    }
    let server = FakeServer::start(Personality::mlsd(), tree);
    let fs = Fs::new(&server);
    let dir = fs.ino("d");
    let handles: Vec<_> = (0..64).map(|i| fs.open(&format!("d/f{i}")).expect("it opens")).collect();
    server.fault(Fault::stall(Stage::AfterOpening));
    let stuck: Vec<_> = handles.iter().map(|&fh| fs.ask(fh, 0, 128 * 1024)).collect();
    assert!(server.wait_for(|log| log.stalls() >= 7, AMPLE), "{}", server.log());
    assert_eq!(fs.names(dir).expect("it is known").len(), 66);
    assert!(fs.look("d/a.txt").expect("it is known").is_some());
    assert!(fs.look("d/nothing").expect("it is known").is_none());
    // And what is not known is found out on the connection that transfers leave free.
    assert!(stuck.iter().all(|hear| hear.try_recv().is_err()), "nobody has been answered yet");
    server.heal();
    for (i, hear) in stuck.iter().enumerate() {
        let mut wanted = vec![0; 128 * 1024];
        fill_pattern(i as u64, 0, &mut wanted);
        assert!(hear.recv_timeout(AMPLE).expect("answered").expect("readable") == wanted, "file {i}");
    }
}

#[test]
fn readers_and_listers_share_a_single_connection() {
    for how in [Refusal::Greeting421, Refusal::Pass530] {
        let server = FakeServer::start(Personality::mlsd(), tree());
        server.fault(Fault::max_connections(1, how));
        let fs = Arc::new(Fs::new(&server));
        let readers: Vec<_> = (0..4u64)
            .map(|i| {
                let fs = Arc::clone(&fs);
                std::thread::spawn(move || {
                    let fh = fs.open("d/big").expect("it opens");
                    for step in 0..40 {
                        let at = i * 9 * MIB + step * 128 * 1024;
                        assert!(fs.read(fh, at, 128 * 1024).expect("readable") == pattern(at, 128 * 1024));
                    }
                    fs.vfs.release(fh);
                })
            })
            .collect();
        for _ in 0..20 {
            assert_eq!(fs.names(Ino::ROOT).expect("a listing").len(), 2);
        }
        readers.into_iter().for_each(|reader| reader.join().expect("no panic"));
    }
}

#[test]
fn a_file_that_changed_before_its_first_byte_is_read_fresh() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    let fs = Fs::new(&server);
    let fh = fs.open("d/a.txt").expect("it opens");
    server.tree().update(|tree| tree.write("d/a.txt", b"something longer than before", DEFAULT_MTIME + 60));
    assert_eq!(fs.read(fh, 0, 4096).expect("the new content"), b"something longer than before");
}

/// Seen under load, when the kernel heard of the new size after it had cut the new content off at the old one.
#[test]
fn the_kernel_forgets_the_old_size_before_it_gets_bytes_of_a_longer_file() {
    #[derive(Default)]
    struct Cache(Mutex<Vec<Ino>>);

    impl KernelCache for Cache {
        fn invalidate_inode(&self, _: Ino) {}

        fn invalidate_attributes(&self, ino: Ino) {
            self.0.lock().push(ino);
        }
    }

    let server = FakeServer::start(Personality::mlsd(), tree());
    let fs = Fs::new(&server);
    let cache = Arc::new(Cache::default());
    fs.vfs.attach(Arc::clone(&cache) as Arc<dyn KernelCache>);
    let fh = fs.open("d/a.txt").expect("it opens");
    server.tree().update(|tree| tree.write("d/a.txt", b"something longer than before", DEFAULT_MTIME + 60));
    fs.read(fh, 0, 4096).expect("the new content");
    assert_eq!(*cache.0.lock(), [fs.ino("d/a.txt")]);
}

#[test]
fn a_file_that_shrank_before_its_first_byte_is_told() {
    // The kernel would fill the short answer up to the old size with zeros.
    let server = FakeServer::start(Personality::mlsd(), tree());
    let fs = Fs::new(&server);
    let fh = fs.open("d/a.txt").expect("it opens");
    server.tree().update(|tree| tree.write("d/a.txt", b"short", DEFAULT_MTIME + 60));
    let ino = fs.ino("d/a.txt");
    assert_eq!(fault(fs.read(fh, 0, 4096)), Told::Remote(ErrorKind::Changed));
    // The kernel looks the name up again when it is told so at open(2).
    assert_eq!(fault(answer(|tell| fs.vfs.open(ino, How::READ, tell))), Told::Remote(ErrorKind::Changed));
    let again = fs.open("d/a.txt").expect("it opens");
    assert_eq!(fs.read(again, 0, 4096).expect("the new content"), b"short");
    // And with nobody left who reads the old one, the old inode is as good as any.
    fs.vfs.release(fh);
    assert_eq!(fs.read_all("d/a.txt").expect("readable"), b"short");
}

#[test]
fn a_silent_server_costs_one_timeout_and_not_one_for_each_name() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    let clock = Arc::new(ByHand(Mutex::new((Instant::now(), SystemTime::now()))));
    let short = Files { attr_ttl: Duration::from_secs(10), ..files() };
    let fs = Fs::with_clock(&hurried(&server), &short, Arc::clone(&clock) as Arc<dyn Clock>);
    let dir = fs.ino("d");
    clock.forward(Duration::from_secs(60));
    server.fault(Fault::stall(Stage::AnyReply));
    let look = || fault(answer(|tell| fs.vfs.lookup(dir, b"a.txt", tell)));
    assert_eq!(look(), Told::Remote(ErrorKind::TimedOut));
    let stalls = server.log().stalls();
    for _ in 0..10 {
        assert_eq!(look(), Told::Remote(ErrorKind::TimedOut));
    }
    assert_eq!(server.log().stalls(), stalls, "the server is not asked again at once");
}

#[test]
fn a_file_that_changes_while_it_is_read_is_never_a_mixture() {
    for personality in [Personality::mlsd(), Personality::unix_list()] {
        let server = FakeServer::start(personality, tree());
        let fs = Fs::new(&server);
        let fh = fs.open("d/big").expect("it opens");
        assert!(fs.read(fh, 0, 4096).expect("readable") == pattern(0, 4096));
        // Same size, other content and time.
        server.tree().update(|tree| tree.write_pattern("d/big", 40 * MIB + 17, 8, DEFAULT_MTIME + 60));
        assert_eq!(fault(fs.read(fh, 30 * MIB, 4096)), Told::Remote(ErrorKind::Changed));
        assert_eq!(fault(fs.read(fh, 0, 4096)), Told::Remote(ErrorKind::Changed), "and stays so");
        let mut wanted = vec![0; 4096];
        fill_pattern(8, 0, &mut wanted);
        let again = fs.open("d/big").expect("it opens");
        assert!(fs.read(again, 0, 4096).expect("readable") == wanted, "opened anew it is the new file");
    }
}

#[test]
fn a_file_that_shrinks_under_its_transfer_is_told() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    let fs = Fs::new(&server);
    let fh = fs.open("d/big").expect("it opens");
    assert!(fs.read(fh, 0, 4096).expect("readable") == pattern(0, 4096));
    server.tree().update(|tree| tree.write_pattern("d/big", MIB, 7, DEFAULT_MTIME + 60));
    let mut at = 4096;
    let told = loop {
        match fs.read(fh, at, 128 * 1024) {
            Ok(bytes) if bytes.is_empty() => panic!("an early end at {at}"),
            Ok(bytes) => at += bytes.len() as u64,
            Err(e) => break e.fault,
        }
    };
    assert_eq!(told, Told::Remote(ErrorKind::Changed));
}

#[test]
fn a_broken_network_is_never_a_missing_file() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    let clock = Arc::new(ByHand(Mutex::new((Instant::now(), SystemTime::now()))));
    let short = Files { negative_ttl: Duration::from_secs(5), attr_ttl: Duration::from_secs(10), ..files() };
    let fs = Fs::with_clock(&hurried(&server), &short, Arc::clone(&clock) as Arc<dyn Clock>);
    fs.look("d").expect("the server answers").expect("it exists");
    clock.forward(Duration::from_secs(60));
    server.fault(Fault::cut(Stage::AnyReply, Cut::both(End::Rst)));
    server.fault(Fault::cut(Stage::Greeting, Cut::both(End::Rst)));
    let told = fault(fs.look("d"));
    assert!(matches!(told, Told::Remote(ErrorKind::Unreachable | ErrorKind::TimedOut)), "{told:?}");
    server.heal();
    // And nothing of it is remembered for long. The server had been out of reach, so the pool may wait a moment.
    let found = (0..50).find_map(|_| {
        clock.forward(Duration::from_secs(2));
        fs.look("d").ok()
    });
    assert!(found.expect("the server is back").is_some());
}

#[test]
fn what_is_remembered_is_asked_anew_when_its_time_is_over() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    let clock = Arc::new(ByHand(Mutex::new((Instant::now(), SystemTime::now()))));
    let short = Files {
        attr_ttl: Duration::from_secs(10),
        dir_ttl: Duration::from_secs(20),
        negative_ttl: Duration::from_secs(5),
        ..files()
    };
    let fs = Fs::with_clock(&config(&server), &short, Arc::clone(&clock) as Arc<dyn Clock>);
    let dir = fs.ino("d");
    assert!(fs.look("d/new").expect("the server answers").is_none());
    server.tree().update(|tree| tree.write("d/new", b"12345", DEFAULT_MTIME));
    assert!(fs.look("d/new").expect("it is remembered").is_none());
    clock.forward(Duration::from_secs(6));
    let new = fs.look("d/new").expect("the server answers").expect("it is there now");
    server.tree().update(|tree| tree.write("d/new", b"123", DEFAULT_MTIME + 1));
    let (attr, ttl) = answer(|tell| fs.vfs.getattr(new.ino, tell)).expect("it is remembered");
    assert_eq!((attr.size, ttl), (5, Duration::from_secs(10)));
    clock.forward(Duration::from_secs(11));
    let (attr, _) = answer(|tell| fs.vfs.getattr(new.ino, tell)).expect("the server answers");
    assert_eq!((attr.ino, attr.size), (new.ino, 3));
    server.tree().update(|tree| tree.remove("d/new"));
    clock.forward(Duration::from_secs(11));
    assert_eq!(fault(answer(|tell| fs.vfs.getattr(new.ino, tell))), Told::Remote(ErrorKind::NotFound));
    clock.forward(Duration::from_secs(21));
    assert!(!fs.names(dir).expect("a listing").contains(&"new".to_owned()));
}

#[test]
fn what_is_in_memory_is_read_also_right_after_a_failure() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    let fs = Fs::with(&hurried(&server), &files());
    let fh = fs.open("d/big").expect("it opens");
    assert!(fs.read(fh, 0, 4096).expect("readable") == pattern(0, 4096));
    server.fault(Fault::stall(Stage::AnyReply));
    assert_eq!(fault(fs.read(fh, 30 * MIB, 4096)), Told::Remote(ErrorKind::TimedOut));
    assert!(fs.read(fh, 0, 4096).expect("it is known") == pattern(0, 4096));
}

#[test]
fn a_missing_name_is_looked_for_once() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    let forgetful =
        Files { negative_ttl: Duration::ZERO, attr_ttl: Duration::ZERO, dir_ttl: Duration::ZERO, ..files() };
    let fs = Fs::with(&config(&server), &forgetful);
    server.clear_log();
    assert!(fs.look("nothing").expect("the server answers").is_none());
    assert_eq!(server.log().verb("MLSD"), 1, "{}", server.log());
}

#[test]
fn many_askers_share_one_listing() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    let fs = Fs::new(&server);
    fs.ino("d");
    server.clear_log();
    server.fault(Fault::stall(Stage::AfterOpening).verb("MLSD"));
    let dir = fs.ino("d");
    let (tell, hear) = std::sync::mpsc::channel();
    for _ in 0..20 {
        let tell = tell.clone();
        fs.vfs.lookup(dir, b"a.txt", move |found| drop(tell.send(found.map(|_| ()))));
    }
    assert!(server.wait_for(|log| log.stalls() == 1, AMPLE));
    server.release();
    for _ in 0..20 {
        hear.recv_timeout(AMPLE).expect("answered").expect("found");
    }
    assert_eq!(server.log().verb("MLSD"), 1, "{}", server.log());
}

#[test]
fn random_reads_fetch_little_and_return_the_truth() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    let fs = Fs::new(&server);
    let fh = fs.open("d/big").expect("it opens");
    let mut at = 12_345_678;
    for _ in 0..50 {
        at = (at * 48_271 + 11) % (40 * MIB);
        let got = fs.read(fh, at, 4096).expect("readable");
        assert!(got == pattern(at, got.len()), "at {at}");
        assert_eq!(got.len(), 4096.min((40 * MIB + 17 - at) as usize));
    }
}

#[test]
fn many_places_of_one_file_are_read_at_once() {
    // Three were enough once to stop each other's streams for ever.
    let server = FakeServer::start(Personality::mlsd(), tree());
    let fs = Fs::new(&server);
    let fh = fs.open("d/big").expect("it opens");
    let asks: Vec<_> = (0..20).map(|i| (i * 2 * MIB + 4096, fs.ask(fh, i * 2 * MIB + 4096, 8192))).collect();
    for (at, hear) in asks {
        let got = hear.recv_timeout(AMPLE).expect("every read is answered").expect("readable");
        assert!(got == pattern(at, 8192), "at {at}");
    }
    assert!(server.log().verb("RETR") <= 40, "{} transfers for 20 places", server.log().verb("RETR"));
}

#[test]
fn little_memory_is_enough_for_many_readers() {
    let mut tree = tree();
    for i in 0..12 {
        tree.write_pattern(format!("d/f{i}"), 3 * MIB, i, DEFAULT_MTIME);
    }
    let server = FakeServer::start(Personality::mlsd(), tree);
    let fs = Fs::with(&config(&server), &Files { memory: 4 << 20, ..files() });
    let handles: Vec<_> = (0..12).map(|i| fs.open(&format!("d/f{i}")).expect("it opens")).collect();
    let asks: Vec<_> = handles.iter().map(|&fh| fs.ask(fh, MIB, MIB as u32)).collect();
    for (i, hear) in asks.into_iter().enumerate() {
        let mut wanted = vec![0; MIB as usize];
        fill_pattern(i as u64, MIB, &mut wanted);
        assert!(hear.recv_timeout(AMPLE).expect("answered").expect("readable") == wanted, "file {i}");
    }
    assert_eq!(server.log().verb("RETR"), 12, "what had arrived was not fetched again");
}

#[test]
fn what_the_kernel_keeps_is_not_mixed_with_a_new_version() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    let fs = Fs::new(&server);
    let fh = fs.open("d/big").expect("it opens");
    fs.read(fh, 0, 4096).expect("readable");
    fs.vfs.release(fh);
    server.tree().update(|tree| tree.write_pattern("d/big", 41 * MIB, 8, DEFAULT_MTIME + 60));
    // Opened again while the old attributes are believed: its head may come from the kernel, unseen by us.
    let ino = fs.ino("d/big");
    let again = answer(|tell| fs.vfs.open(ino, How::READ, tell)).expect("it opens").fh;
    assert_eq!(fault(fs.read(again, 30 * MIB, 4096)), Told::Remote(ErrorKind::Changed));
}

#[test]
fn an_open_file_does_not_get_the_attributes_of_another_version() {
    // The kernel would cut the reader short at the new size.
    let server = FakeServer::start(Personality::mlsd(), tree());
    let clock = Arc::new(ByHand(Mutex::new((Instant::now(), SystemTime::now()))));
    let fs = Fs::with_clock(&config(&server), &files(), Arc::clone(&clock) as Arc<dyn Clock>);
    let ino = fs.ino("d/big");
    let fh = fs.open("d/big").expect("it opens");
    fs.read(fh, 0, 4096).expect("readable");
    server.tree().update(|tree| tree.write_pattern("d/big", MIB, 8, DEFAULT_MTIME + 60));
    clock.forward(Duration::from_secs(4000));
    assert_eq!(fault(answer(|tell| fs.vfs.getattr(ino, tell))), Told::Remote(ErrorKind::Changed));
    let new = fs.look("d/big").expect("the server answers").expect("it exists");
    assert!(new.ino != ino && new.size == MIB, "the name stands for another inode now");
    assert_eq!(fault(fs.read(fh, 20 * MIB, 4096)), Told::Remote(ErrorKind::Changed));
    assert_eq!(fs.read_all("d/big").expect("readable").len() as u64, MIB);
}

#[test]
fn a_reader_that_was_told_of_a_change_does_not_see_the_new_size_either() {
    // With the new size the kernel would call it the end of the file instead of passing on the error.
    let server = FakeServer::start(Personality::mlsd(), tree());
    let fs = Fs::new(&server);
    let ino = fs.ino("d/big");
    let fh = fs.open("d/big").expect("it opens");
    fs.read(fh, 0, 4096).expect("readable");
    server.tree().update(|tree| tree.write_pattern("d/big", MIB, 8, DEFAULT_MTIME + 60));
    assert_eq!(fault(fs.read(fh, 20 * MIB, 4096)), Told::Remote(ErrorKind::Changed));
    assert_eq!(fault(answer(|tell| fs.vfs.getattr(ino, tell))), Told::Remote(ErrorKind::Changed));
    assert!(fs.ino("d/big") != ino, "the name stands for another inode now");
    fs.vfs.release(fh);
    assert_eq!(fs.read_all("d/big").expect("readable").len() as u64, MIB);
}

#[test]
fn links_do_not_lead_out_of_the_mount() {
    let tree = tree().symlink("in", "d/a.txt").symlink("abs", "/d/a.txt").symlink("out", "../../etc/passwd");
    for personality in [Personality::unix_list(), Personality::pure()] {
        let server = FakeServer::start(personality, tree.clone());
        let fs = Fs::new(&server);
        let read = |name: &str| answer(|tell| fs.vfs.readlink(fs.ino(name), tell));
        assert_eq!(read("in").expect("inside"), b"d/a.txt");
        assert_eq!(read("abs").expect("inside"), b"d/a.txt");
        assert_eq!(fault(read("out")), Told::Outside);
        assert_eq!(fault(read("d")), Told::NotLink);
    }
}

#[test]
fn an_old_copy_in_memory_does_not_outlive_its_file() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    let clock = Arc::new(ByHand(Mutex::new((Instant::now(), SystemTime::now()))));
    let fs = Fs::with_clock(&config(&server), &files(), Arc::clone(&clock) as Arc<dyn Clock>);
    let ino = fs.ino("d/a.txt");
    let open = || answer(|tell| fs.vfs.open(ino, How::READ, tell)).expect("it opens");
    let first = open();
    assert!(!first.keep_cache, "the kernel has nothing yet");
    assert_eq!(fs.read(first.fh, 0, 100).expect("readable"), b"hello world");
    server.reset_flights();
    let second = open();
    assert!(second.keep_cache, "the file is the same");
    assert_eq!(fs.read(second.fh, 0, 100).expect("readable"), b"hello world");
    assert_eq!(server.work_flights(), 0, "it comes from memory");
    server.tree().update(|tree| tree.write("d/a.txt", b"HELLO WORLD", DEFAULT_MTIME + 1));
    clock.forward(Duration::from_secs(4000));
    assert_eq!(
        fault(answer(|tell| fs.vfs.open(ino, How::READ, tell))),
        Told::Remote(ErrorKind::Changed),
        "while it is open"
    );
    let ino = fs.ino("d/a.txt");
    let third = answer(|tell| fs.vfs.open(ino, How::READ, tell)).expect("it opens");
    assert!(!third.keep_cache, "another time is another content");
    assert_eq!(fs.read(third.fh, 0, 100).expect("readable"), b"HELLO WORLD");
    assert_eq!(fs.read(first.fh, 0, 100).expect("readable"), b"hello world", "whole and old, from memory");
}

/// A clock that is moved by hand.
struct ByHand(Mutex<(Instant, SystemTime)>);

impl ByHand {
    fn forward(&self, by: Duration) {
        let mut now = self.0.lock();
        *now = (now.0 + by, now.1 + by);
    }
}

impl Clock for ByHand {
    fn now(&self) -> Instant {
        self.0.lock().0
    }

    fn wall(&self) -> SystemTime {
        self.0.lock().1
    }
}
