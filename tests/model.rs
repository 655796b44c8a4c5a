//! Random operations on mounts of real servers, held against a plain directory and against bytes in memory.
//!
//! Sequences that once failed stand below by name and run everywhere. `FTPFS_MODEL_CASES` multiplies what is tried,
//! `FTPFS_MODEL_SEED` tries others. They need root, `/dev/fuse` and what `scripts/setup` installs.

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use support::bench::{Bench, Place};
use support::lab::{Options, Software, Tls};
use support::model::file::{self, FileOp};
use support::model::op::{How, Op};
use support::model::tree::Start;
use support::model::{Effort, explore, must_hold, op, tree};
use support::process::with_deadline;
use support::themes::Setup;

/// A hang, nothing else.
const LIMIT: Duration = Duration::from_secs(580);

fn served(software: Software) -> Place {
    Place::Served(Setup::plain(software))
}

fn tls(software: Software) -> Place {
    let options = Options { tls: Tls::Required, ..Options::default() };
    Place::Served(Setup { options, ..Setup::plain(software) })
}

/// Links are kept in files.
fn with_links(software: Software) -> Place {
    Place::Served(Setup { arguments: &["-o", "mfsymlinks"], ..Setup::plain(software) })
}

/// Nothing is believed for longer than a moment: files are on the server before the mount hears of them.
fn cold(software: Software) -> Place {
    Place::Served(Setup { arguments: NEVER, ..Setup::plain(software) })
}

const NEVER: &[&str] = &["-o", "cache_timeout=0,negative_timeout=0"];

fn start(place: &Place) -> Start {
    match place {
        Place::Served(setup) if setup.arguments == NEVER => Start::Before,
        _ => Start::ByMount,
    }
}

fn nothing(_: &Op, _: &Path) {}

fn trees(name: &'static str, place: Place, effort: Effort, links: bool) {
    with_deadline(LIMIT, name, move || {
        let bench = Bench::new(&place);
        must_hold(name, explore(name, effort, op::ops(links), |ops| tree::run(&bench, start(&place), ops, &nothing)));
        bench.finish();
    });
}

fn files(name: &'static str, place: Place, effort: Effort) {
    with_deadline(LIMIT, name, move || {
        let bench = Bench::new(&place);
        must_hold(name, explore(name, effort, file::ops(), |ops| file::run(&bench, start(&place), ops)));
        bench.finish();
    });
}

fn kept(name: &'static str, place: Place) {
    with_deadline(LIMIT, name, move || {
        let bench = Bench::new(&place);
        for (story, ops) in kept_trees() {
            must_hold(story, tree::run(&bench, start(&place), &ops, &nothing).map_err(|text| (ops, text)));
        }
        for (story, ops) in kept_files() {
            must_hold(story, file::run(&bench, start(&place), &ops).map_err(|text| (ops, text)));
        }
        bench.finish();
    });
}

macro_rules! places {
    ($($module:ident: $place:expr, $cases:expr;)*) => { $(
        mod $module {
            use super::*;

            #[test]
            fn trees() {
                super::trees(concat!(module_path!(), "::trees"), $place, Effort::ordinary($cases, 80), false);
            }

            #[test]
            fn one_file() {
                super::files(concat!(module_path!(), "::one_file"), $place, Effort::ordinary($cases, 120));
            }

            #[test]
            fn kept() {
                super::kept(concat!(module_path!(), "::kept"), $place);
            }
        }
    )* };
}

places! {
    plain_directory: Place::Plain, 60;
    vsftpd: served(Software::Vsftpd), 30;
    proftpd: served(Software::ProFtpd), 12;
    pure_ftpd: served(Software::PureFtpd), 12;
    pyftpdlib: served(Software::Pyftpdlib), 30;
    cold_vsftpd: cold(Software::Vsftpd), 20;
    cold_proftpd: cold(Software::ProFtpd), 12;
    cold_pure_ftpd: cold(Software::PureFtpd), 12;
    cold_pyftpdlib: cold(Software::Pyftpdlib), 20;
    tls_vsftpd: tls(Software::Vsftpd), 12;
    tls_proftpd: tls(Software::ProFtpd), 12;
}

#[test]
fn links_in_a_plain_directory() {
    trees("links_in_a_plain_directory", Place::Plain, Effort::ordinary(60, 80), true);
}

#[test]
fn links_on_vsftpd() {
    trees("links_on_vsftpd", with_links(Software::Vsftpd), Effort::ordinary(20, 80), true);
}

/// The measure is measured: a place that spoils files, in a way that takes several operations, is found out, and by a
/// sequence that has nothing else in it.
#[test]
fn what_is_wrong_is_found_and_made_short() {
    with_deadline(LIMIT, "what_is_wrong_is_found_and_made_short", || {
        let bench = Bench::new(&Place::Plain);
        let spoil = |op: &Op, root: &Path| {
            // A rename onto a file that loses a byte.
            if let Op::Rename { to, .. } = op
                && let Ok(bytes) = fs::read(root.join(to))
            {
                fs::write(root.join(to), &bytes[..bytes.len().saturating_sub(1)]).expect("it is there");
            }
        };
        let outcome = explore("spoilt", Effort::ordinary(60, 80), op::ops(false), |ops| {
            tree::run(&bench, Start::ByMount, ops, &spoil)
        });
        let (ops, text) = outcome.expect_err("it spoils files");
        assert!(ops.len() <= 4 && ops.iter().any(|op| matches!(op, Op::Rename { .. })), "{text}: {ops:#?}");
        bench.finish();
    });
}

/// Sequences on trees that failed once, or that programs rely on.
fn kept_trees() -> Vec<(&'static str, Vec<Op>)> {
    use Op::*;
    let create = How { read: true, write: true, create: true, ..How::default() };
    let append = How { write: true, append: true, create: true, ..How::default() };
    vec![
        (
            "a file that is written, renamed over another and read, all with it open",
            vec![
                WriteFile { path: "b", len: 9000, fill: 1 },
                Open { slot: 0, path: "a", how: create },
                Write { slot: 0, len: 5000, fill: 2 },
                Rename { from: "a", to: "b", keep: false },
                ReadFile { path: "b" },
                Write { slot: 0, len: 5000, fill: 3 },
                Stat { path: "b" },
                Close { slot: 0 },
                ReadFile { path: "b" },
                Stat { path: "a" },
            ],
        ),
        (
            "a file that is written while its directory is renamed and another takes its place",
            vec![
                MakeDir { path: "d" },
                Open { slot: 0, path: "d/a", how: create },
                Write { slot: 0, len: 70_000, fill: 1 },
                Rename { from: "d", to: "f", keep: true },
                MakeDir { path: "d" },
                WriteFile { path: "d/a", len: 10, fill: 2 },
                Write { slot: 0, len: 70_000, fill: 3 },
                Close { slot: 0 },
                ReadFile { path: "f/a" },
                ReadFile { path: "d/a" },
            ],
        ),
        (
            "a file that is removed, made again under its name and still open in its first form",
            vec![
                Open { slot: 0, path: "a", how: create },
                Write { slot: 0, len: 100, fill: 1 },
                Unlink { path: "a" },
                WriteFile { path: "a", len: 200, fill: 2 },
                Write { slot: 0, len: 100, fill: 3 },
                ReadAt { slot: 0, at: 0, len: 1000 },
                SlotStat { slot: 0 },
                Close { slot: 0 },
                ReadFile { path: "a" },
            ],
        ),
        (
            "a time that is given before the last byte does not stay, one given after it does",
            vec![
                Open { slot: 0, path: "a", how: create },
                Write { slot: 0, len: 10, fill: 1 },
                SlotTime { slot: 0, seconds: 1_000_000_000 },
                Write { slot: 0, len: 10, fill: 2 },
                Close { slot: 0 },
                Stat { path: "a" },
                Open { slot: 0, path: "a", how: append },
                Write { slot: 0, len: 10, fill: 1 },
                SlotTime { slot: 0, seconds: 1_000_000_001 },
                Close { slot: 0 },
                Stat { path: "a" },
            ],
        ),
        (
            "a time that is given to an open file without a name shows",
            vec![
                Open { slot: 0, path: "a", how: create },
                Unlink { path: "a" },
                SlotTime { slot: 0, seconds: 900_000_000 },
                SlotStat { slot: 0 },
                Write { slot: 0, len: 10, fill: 1 },
                SlotStat { slot: 0 },
                SlotTime { slot: 0, seconds: 900_000_001 },
                SlotStat { slot: 0 },
            ],
        ),
        (
            "a time that was given just before its file was removed shows",
            vec![
                Open { slot: 0, path: "b", how: create },
                Close { slot: 0 },
                Open { slot: 1, path: "b", how: How { read: true, ..How::default() } },
                SetTime { path: "b", seconds: 900_000_000 },
                Unlink { path: "b" },
                SlotStat { slot: 1 },
                Open { slot: 2, path: "b", how: create },
                SlotTime { slot: 2, seconds: 900_000_001 },
                WriteFile { path: "d/a", len: 1, fill: 1 },
                Rename { from: "d/a", to: "b", keep: false },
                SlotStat { slot: 2 },
            ],
        ),
        (
            "a directory with a file that has just been made cannot be removed",
            vec![
                MakeDir { path: "f" },
                WriteFile { path: "f/a", len: 10, fill: 1 },
                Unlink { path: "f/a" },
                Open { slot: 0, path: "f/a", how: create },
                RemoveDir { path: "f" },
                Write { slot: 0, len: 10, fill: 1 },
                Close { slot: 0 },
                ReadFile { path: "f/a" },
            ],
        ),
        (
            "an emptied directory can be removed, and one whose file is open but gone",
            vec![
                MakeDir { path: "f" },
                Open { slot: 0, path: "f/a", how: create },
                Write { slot: 0, len: 10, fill: 1 },
                RemoveDir { path: "f" },
                Unlink { path: "f/a" },
                RemoveDir { path: "f" },
                Write { slot: 0, len: 10, fill: 2 },
                Close { slot: 0 },
                List { path: "." },
            ],
        ),
        (
            "what is refused: over a directory, into itself, onto a name that is taken",
            vec![
                MakeDir { path: "d" },
                MakeDir { path: "d/e" },
                WriteFile { path: "a", len: 1, fill: 1 },
                Rename { from: "a", to: "d", keep: false },
                Rename { from: "d", to: "a", keep: false },
                Rename { from: "d", to: "d/e", keep: false },
                Rename { from: "d/e", to: "d", keep: false },
                Rename { from: "a", to: "d", keep: true },
                WriteFile { path: "b", len: 2, fill: 2 },
                Rename { from: "a", to: "b", keep: true },
                MakeDir { path: "a" },
                RemoveDir { path: "a" },
                Unlink { path: "d" },
                RemoveDir { path: "d" },
                WriteFile { path: "d", len: 1, fill: 1 },
                ReadFile { path: "d/e/a" },
                ReadFile { path: "a/b" },
            ],
        ),
    ]
}

/// Sequences on one file, likewise.
fn kept_files() -> Vec<(&'static str, Vec<FileOp>)> {
    use FileOp::*;
    vec![
        (
            "a file that is cut and grows again has zeros where it was cut",
            vec![
                SetLen { handle: 0, len: 10 },
                SetLen { handle: 1, len: 70_000 },
                Read { handle: 2, at: 0, len: 70_000 },
                Write { handle: 0, at: 200_000, len: 1, fill: 7 },
                MapRead { handle: 2, at: 100_000, len: 66_000 },
                Reopen { handle: 0 },
            ],
        ),
        (
            "old content in the middle stays where only ends are written",
            vec![
                ReopenAll,
                Write { handle: 0, at: 0, len: 1, fill: 3 },
                Append { len: 5, fill: 4 },
                MapWriteClosed { at: 50_000, len: 1, fill: 5 },
                Read { handle: 2, at: 0, len: 200_000 },
            ],
        ),
        (
            "an emptied file is empty for all who have it open",
            vec![
                Rewrite { len: 0, fill: 0 },
                Read { handle: 1, at: 0, len: 10 },
                Size { handle: 2 },
                Append { len: 9, fill: 1 },
                Sync { handle: 3 },
            ],
        ),
    ]
}
