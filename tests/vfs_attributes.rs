//! Times, modes and sizes of the filesystem on a server in memory: what shows at once, and what the server gets when.

mod support;

use std::time::Duration;

use ftpfs::config::Files;
use ftpfs::remote::ErrorKind;
use ftpfs::vfs::Wanted;
use support::files::files;
use support::memory_remote::{Can, MemoryRemote, START};
use support::names::{Names, at, denied, mode, mtime, plain, strict};

#[test]
fn settings_show_at_once_and_travel_with_a_rename() {
    let server = MemoryRemote::default().file("tmp", b"content");
    let fs = Names::new(&server);
    let ino = fs.fs.ino("tmp");
    server.clear_log();
    let attr = fs.set("tmp", at(1_000_000_000)).expect("it is accepted");
    assert_eq!(mtime(&attr), 1_000_000_000, "whole seconds, cut off");
    let attr = fs.set("tmp", mode(0o640)).expect("it is accepted");
    assert_eq!((mtime(&attr), attr.mode), (1_000_000_000, 0o640));
    assert_eq!(fs.fs.look("tmp").expect("known"), Some(attr.clone()));
    assert!(server.log().is_empty(), "{:?}", server.log());
    fs.rename("tmp", "final", 0).expect("it is renamed");
    assert_eq!(server.log(), ["RNTO /tmp /final mtime=1000000000 mode=640"]);
    assert_eq!(fs.attr(ino).expect("known"), attr);
    assert_eq!(fs.fs.look("final").expect("known"), Some(attr));
    assert_eq!(server.facts("final"), Some((1_000_000_000, 0o640)));
    fs.end();
    assert_eq!(server.count("MFMT"), 0, "nothing is sent twice");
}

#[test]
fn settings_are_sent_by_themselves_before_long() {
    let server = MemoryRemote::default().file("a", b"1").file("b", b"2");
    let fs = Names::new(&server);
    fs.set("a", at(1_000_000_000)).expect("it is accepted");
    fs.set("b", mode(0o600)).expect("it is accepted");
    server.wait_for("MFMT", 2);
    assert_eq!((server.facts("a"), server.facts("b")), (Some((1_000_000_000, 0o644)), Some((START, 0o600))));
}

#[test]
fn a_listing_that_comes_meanwhile_does_not_show_the_old_time() {
    let server = MemoryRemote::default().file("a", b"1");
    let forgetful = Files { attr_ttl: Duration::ZERO, dir_ttl: Duration::ZERO, ..files() };
    let fs = Names::with(&server, &forgetful, plain);
    server.hold("MFMT");
    fs.set("a", at(1_000_000_000)).expect("it is accepted");
    for _ in 0..2 {
        let attr = fs.fs.look("a").expect("the server answers").expect("it exists");
        assert_eq!(mtime(&attr), 1_000_000_000);
        server.wait_held(1);
    }
    server.release();
}

#[test]
fn what_was_set_on_a_file_is_void_when_it_is_removed() {
    let server = MemoryRemote::default().file("a", b"1");
    let fs = Names::new(&server);
    fs.set("a", mode(0o600)).expect("it is accepted");
    fs.unlink("a").expect("it is removed");
    fs.end();
    assert_eq!(server.count("MFMT"), 0);
}

#[test]
fn the_end_of_the_mount_sends_what_is_still_to_be_set() {
    let server = MemoryRemote::default().dir("d").file("d/a", b"1");
    let fs = Names::new(&server);
    fs.set("d/a", at(1_000_000_000)).expect("it is accepted");
    fs.set("d", at(1_000_000_001)).expect("it is accepted");
    fs.end();
    assert_eq!(server.facts("d/a").map(|f| f.0), Some(1_000_000_000));
    assert_eq!(server.facts("d").map(|f| f.0), Some(1_000_000_001));
}

#[test]
fn settings_below_a_directory_are_sent_before_it_is_renamed() {
    let server = MemoryRemote::default().dir("d").file("d/a", b"1");
    let fs = Names::new(&server);
    fs.set("d/a", mode(0o600)).expect("it is accepted");
    server.clear_log();
    fs.rename("d", "e", 0).expect("it is renamed");
    assert_eq!(server.log(), ["MFMT /d/a mode=600", "RNTO /d /e"]);
}

#[test]
fn what_the_server_cannot_keep_is_accepted_and_then_shown_as_it_is() {
    let server = MemoryRemote::new(Can { mtime: false, mode: false, ..Can::default() }).file("a", b"1");
    let fs = Names::new(&server);
    let all = Wanted { uid: Some(7), gid: Some(7), ..at(1_000_000_000) };
    fs.set("a", Wanted { mode: Some(0o600), ..all }).expect("it is accepted");
    // What has been sent is not shown any more, whatever came of it.
    fs.end();
    let attr = fs.attr(fs.fs.ino("a")).expect("known");
    assert_eq!((mtime(&attr), attr.mode, attr.uid), (START.unsigned_abs(), 0o644, 0));
}

#[test]
fn a_connection_that_fails_loses_no_settings() {
    let server = MemoryRemote::default().file("a", b"1");
    let fs = Names::new(&server);
    server.fail("MFMT", None, ErrorKind::Unreachable, 1);
    fs.set("a", at(1_000_000_000)).expect("it is accepted");
    server.wait_for("MFMT", 2);
    assert_eq!(server.facts("a"), Some((1_000_000_000, 0o644)));
}

#[test]
fn strictly_the_program_is_told_what_the_server_says() {
    let server = MemoryRemote::default().file("a", b"1").file("b", b"2");
    let fs = Names::with(&server, &files(), strict);
    let attr = fs.set("a", at(1_000_000_000)).expect("the server does it");
    assert_eq!((mtime(&attr), server.facts("a").map(|f| f.0)), (1_000_000_000, Some(1_000_000_000)));
    server.fail("MFMT", Some("b"), ErrorKind::Denied, 1);
    denied(fs.set("b", mode(0o600)), ErrorKind::NotPermitted);
    assert_eq!(fs.attr(fs.fs.ino("b")).expect("known").mode, 0o644);
    server.change(|can| can.mtime = false);
    denied(fs.set("b", at(1)), ErrorKind::NotPermitted);
    denied(fs.set("b", Wanted { uid: Some(7), ..Wanted::default() }), ErrorKind::NotPermitted);
    fs.set("b", Wanted { uid: Some(0), gid: Some(0), ..Wanted::default() }).expect("it is so already");
    fs.set("b", Wanted::default()).expect("the last access alone is nothing");
}

#[test]
fn modes_that_are_not_the_servers_cannot_be_changed_strictly() {
    let masked = Files { file_mask: Some(0o022), dir_mask: Some(0o022), ..files() };
    let server = MemoryRemote::default().file("a", b"1");
    let fs = Names::with(&server, &masked, strict);
    denied(fs.set("a", mode(0o600)), ErrorKind::NotPermitted);
    fs.set("a", mode(0o755)).expect("so it is shown");
    let server = MemoryRemote::default().file("a", b"1");
    let fs = Names::with(&server, &masked, plain);
    assert_eq!(fs.set("a", mode(0o600)).expect("it is accepted").mode, 0o755);
    fs.end();
    assert_eq!(server.facts("a").map(|f| f.1), Some(0o600), "and sent");
}

#[test]
fn a_file_that_is_read_is_the_same_after_its_time_was_set() {
    let server = MemoryRemote::default().file("a", b"content");
    let fs = Names::with(&server, &files(), strict);
    let fh = fs.open("a");
    fs.set("a", at(1_000_000_000)).expect("the server does it");
    assert_eq!(fs.fs.read(fh, 0, 100).expect("readable"), b"content");
    assert_eq!(fs.fs.read_all("a").expect("readable"), b"content");
}

#[test]
fn times_that_listings_leave_out_are_known_where_we_have_set_them() {
    let server = MemoryRemote::new(Can { exact: false, ..Can::default() }).file("a", b"1").file("b", b"1");
    let fs = Names::with(&server, &files(), strict);
    fs.set("a", at(1_000_000_007)).expect("the server does it");
    fs.rename("a", "c", 0).expect("it is renamed");
    server.clear_log();
    let attr = fs.fs.look("c").expect("known").expect("it exists");
    assert_eq!((mtime(&attr), server.log().len()), (1_000_000_007, 0));
}

#[test]
fn the_time_of_a_file_that_is_written_is_set_with_its_content() {
    let server = MemoryRemote::default();
    let fs = Names::new(&server);
    let fh = fs.create("a");
    fs.write(fh, 0, b"hello");
    assert_eq!(mtime(&fs.set("a", at(1_000_000_000)).expect("it is accepted")), 1_000_000_000);
    fs.close(fh);
    assert_eq!(server.facts("a").map(|f| f.0), Some(1_000_000_000));
    assert_eq!(server.count("MFMT"), 0, "{:?}", server.log());
    assert_eq!(mtime(&fs.fs.look("a").expect("known").expect("it is there")), 1_000_000_000);
}

#[test]
fn a_later_write_makes_an_older_wish_for_the_time_void() {
    let server = MemoryRemote::default().file("a", b"old");
    let fs = Names::new(&server);
    fs.set("a", at(1_000_000_000)).expect("it is accepted");
    let fh = fs.create("a");
    fs.write(fh, 0, b"new");
    fs.close(fh);
    fs.end();
    assert_ne!(server.facts("a").map(|f| f.0), Some(1_000_000_000), "{:?}", server.log());
}

#[test]
fn a_size_can_be_set_with_the_rest() {
    let server = MemoryRemote::default().file("a", b"hello world");
    let fs = Names::new(&server);
    let attr = fs.set("a", Wanted { size: Some((5, None)), ..at(1_000_000_000) }).expect("it is cut");
    assert_eq!((attr.size, mtime(&attr)), (5, 1_000_000_000));
    assert_eq!(server.content("a").expect("it is there"), b"hello");
    fs.end();
    assert_eq!(server.facts("a").map(|f| f.0), Some(1_000_000_000));
}
