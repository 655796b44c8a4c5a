//! Times of servers that list by their own clock.

mod support;

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use ftpfs::ftp::Client;
use ftpfs::remote::{Entry, Name, Precision, Remote, Stamp};
use jiff::tz::TimeZone;
use support::client::{client, client_with, config, list, path, read, soon};
use support::server::{DEFAULT_MTIME, FakeServer, Fault, Personality, Tree};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// Tokyo, Newfoundland in winter, Nepal.
const ZONES: [i64; 3] = [9 * HOUR, -12_600, 20_700];

/// Some days ago, at a full minute.
fn days_ago(days: i64) -> i64 {
    (*NOW - days * DAY).div_euclid(60) * 60
}

/// When these tests began, for all of them.
static NOW: LazyLock<i64> =
    LazyLock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs().cast_signed());

fn lists_in(zone: i64) -> [Personality; 2] {
    [Personality::unix_list(), Personality::iis()].map(|personality| Personality { list_zone: zone, ..personality })
}

fn mtime(entries: &[Entry], name: &str) -> Stamp {
    let entry = entries.iter().find(|e| e.name.as_bytes() == name.as_bytes()).expect("it is listed");
    entry.meta.mtime.expect("it has a time")
}

fn shown(client: &Client, dir: &str, name: &str) -> i64 {
    mtime(&list(client, dir).expect("a listing"), name).secs
}

#[test]
fn directories_have_the_right_time_from_the_first_look_on() {
    for personality in ZONES.into_iter().flat_map(lists_in) {
        let tree = Tree::new().dir("d").with_mtime("d", days_ago(30)).file("f", b"x", days_ago(2) + 59);
        let server = FakeServer::start(personality, tree);
        let client = client(&server);
        for _ in 0..3 {
            assert_eq!(shown(&client, "/", "d"), days_ago(30));
            assert_eq!(shown(&client, "/", "f"), days_ago(2));
        }
        assert_eq!(server.log().verb("MDTM"), 1, "the zone is found out once");
    }
}

#[test]
fn files_of_a_subdirectory_tell_the_zone_where_there_are_no_others() {
    for personality in ZONES.into_iter().flat_map(lists_in) {
        let tree = Tree::new().dir("d").file("e/f", b"x", days_ago(2)).dir("e/g");
        let tree = ["d", "e", "e/g"].iter().fold(tree, |tree, dir| tree.with_mtime(dir, days_ago(3)));
        let server = FakeServer::start(personality, tree);
        let client = client(&server);
        assert_eq!(shown(&client, "/", "d"), days_ago(3));
        assert_eq!(shown(&client, "/e", "g"), days_ago(3));
        assert_eq!(server.log().verb("MDTM"), 1, "the zone is found out once");
    }
}

#[test]
fn what_was_shown_too_early_does_not_jump() {
    let personality = Personality { list_zone: 9 * HOUR, ..Personality::unix_list() };
    let server = FakeServer::start(personality, Tree::new().dir("d").with_mtime("d", days_ago(3)));
    let client = client(&server);
    let early = shown(&client, "/", "d");
    assert_eq!(early, days_ago(3) + 9 * HOUR, "nothing tells the zone yet");
    server.tree().update(|tree| {
        tree.write("f", b"x", days_ago(1));
        tree.make_dir("later");
        tree.set_mtime("later", days_ago(2));
    });
    assert_eq!(shown(&client, "/", "later"), days_ago(2), "now it is known");
    assert_eq!(shown(&client, "/", "d"), early, "and what was shown stays");
    server.tree().update(|tree| tree.set_mtime("d", days_ago(1)));
    assert_eq!(shown(&client, "/", "d"), days_ago(1), "until it really changes");
}

#[test]
fn who_lists_files_alone_pays_nothing_for_the_zone() {
    let personality = Personality { list_zone: 9 * HOUR, ..Personality::unix_list() };
    let server = FakeServer::start(personality, Tree::new().file("f", b"x", days_ago(1)));
    let client = client(&server);
    list(&client, "/").expect("a listing");
    assert_eq!(server.log().verb("MDTM"), 0);
}

#[test]
fn servers_without_an_answer_are_not_asked_for_ever() {
    let personality = Personality { list_zone: 9 * HOUR, ..Personality::unix_list() };
    let tree = Tree::new().dir("d").with_mtime("d", days_ago(3)).file("f", b"x", days_ago(1));
    let server = FakeServer::start(personality, tree);
    server.fault(Fault::reply("MDTM", "550 Could not get file modification time."));
    let client = client(&server);
    let first = shown(&client, "/", "d");
    for _ in 0..10 {
        assert_eq!(shown(&client, "/", "d"), first);
    }
    assert_eq!(server.log().verb("MDTM"), 5);
}

/// A client whose user says where the server is.
fn in_zone(server: &FakeServer, zone: &str) -> Client {
    let mut settings = config(server);
    settings.listing.timezone = Some(TimeZone::get(zone).expect("a zone"));
    let client = client_with(&settings);
    client.enter(b"", soon()).expect("the login works");
    client
}

#[test]
fn a_given_zone_needs_no_files() {
    for personality in lists_in(9 * HOUR) {
        let tree = Tree::new().dir("d").with_mtime("d", days_ago(3)).dir("old").with_mtime("old", DEFAULT_MTIME);
        let server = FakeServer::start(personality, tree);
        let client = in_zone(&server, "Asia/Tokyo");
        let entries = list(&client, "/").expect("a listing");
        assert_eq!(mtime(&entries, "d").secs, days_ago(3));
        let old = mtime(&entries, "old");
        // A day without a time begins in Tokyo.
        let unit = if old.precision == Precision::Day { DAY } else { 60 };
        assert!((0..unit).contains(&(DEFAULT_MTIME - old.secs)), "{old:?}");
        assert_eq!((old.secs + 9 * HOUR) % unit, 0);
    }
}

#[test]
fn an_mdtm_in_local_time_follows_the_given_zone() {
    // vsftpd with use_localtime=YES: both are nine hours ahead, and look like UTC.
    for time in [days_ago(2) + 17, 1_700_056_800] {
        let personality = Personality { list_zone: 9 * HOUR, ..Personality::unix_list() };
        let server = FakeServer::start(personality, Tree::new().file("f", b"hello", time));
        let local = jiff::Timestamp::from_second(time + 9 * HOUR).expect("a time");
        server.fault(Fault::reply("MDTM", &local.strftime("213 %Y%m%d%H%M%S").to_string()));
        let names = [Name::new(b"f").expect("a name")];
        let told = in_zone(&server, "Asia/Tokyo");
        list(&told, "/").expect("a listing");
        assert_eq!(told.times(&path("/"), &names, soon()).expect("times"), [Some(Stamp::exact(time))]);
        // All that tells a version says the same, or every read would find another file.
        assert_eq!(
            told.version(&path("/f"), soon()).expect("a version").expect("it is told").mtime,
            Some(Stamp::exact(time))
        );
        assert_eq!(read(&told, "/f", 0).expect("a file"), b"hello");
        let untold = client(&server);
        list(&untold, "/").expect("a listing");
        let seen = untold.times(&path("/"), &names, soon()).expect("times");
        assert_eq!(seen, [Some(Stamp::exact(time + 9 * HOUR))], "without a word of the user nothing shows it");
    }
}

#[test]
fn an_mdtm_in_utc_stays_so_in_a_given_zone() {
    for personality in lists_in(9 * HOUR) {
        let server = FakeServer::start(personality, Tree::new().file("f", b"x", days_ago(2) + 17));
        let client = in_zone(&server, "Asia/Tokyo");
        assert_eq!(shown(&client, "/", "f"), days_ago(2));
        let times = client.times(&path("/"), &[Name::new(b"f").expect("a name")], soon()).expect("times");
        assert_eq!(times, [Some(Stamp::exact(days_ago(2) + 17))]);
    }
}
