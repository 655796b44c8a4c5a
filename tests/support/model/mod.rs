//! Random operations in a place where programs write, and the same ones where the right results are known.
//!
//! [`tree`] has whole trees of files; its measure is a plain directory. [`file`] has one file, through several handles and
//! mappings at once; its measure is a vector of bytes. Sequences come from `proptest`, which also makes those that fail
//! as short as it can; a found one is kept by name in `tests/model.rs`.

pub mod file;
pub mod map;
pub mod op;
pub mod tree;

use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;

use proptest::collection::vec;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Sequences.
    pub cases: u32,
    /// The most operations of one.
    pub length: usize,
}

impl Effort {
    /// The effort of an ordinary run; `FTPFS_MODEL_CASES` multiplies it.
    pub fn ordinary(cases: u32, length: usize) -> Self {
        Self { cases: cases * number("FTPFS_MODEL_CASES").map_or(1, |n| n as u32), length }
    }
}

/// Runs sequences of operations from `ops`; returns the shortest that was found to fail, and how.
///
/// The same ones each time, unless `FTPFS_MODEL_SEED` names another seed.
pub fn explore<T: Clone + Debug>(
    name: &str,
    effort: Effort,
    ops: impl Strategy<Value = T>,
    mut run: impl FnMut(&[T]) -> Result<(), String>,
) -> Result<(), (Vec<T>, String)> {
    let seed = number("FTPFS_MODEL_SEED").unwrap_or(1);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: effort.cases,
        failure_persistence: None,
        max_shrink_time: SHRINK_MILLISECONDS,
        max_shrink_iters: 100_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let run = std::cell::RefCell::new(&mut run);
    let outcome = runner.run(&vec(ops, 1..=effort.length), |ops| {
        note(name, &ops);
        run.borrow_mut()(&ops).map_err(TestCaseError::fail)
    });
    match outcome {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, ops)) => Err((ops, reason.message().to_owned())),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

/// Panics with a sequence that fails, in a form that can be kept.
pub fn must_hold<T: Debug>(name: &str, outcome: Result<(), (Vec<T>, String)>) {
    if let Err((ops, message)) = outcome {
        let lines: String = ops.iter().map(|op| format!("    {op:?},\n")).collect();
        panic!("{name}: {message}\nafter\n{lines}");
    }
}

/// Leaves a sequence where it can be found if this process does not survive it: reading a mapping of a file that cannot be
/// read is a SIGBUS.
fn note<T: Debug>(name: &str, ops: &[T]) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.ops", name.replace("::", "-")));
    fs::write(path, format!("{ops:#?}\n")).expect("cargo has made the folder");
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable}={value}: a number is wanted")))
}

/// Bytes that tell where they come from.
pub fn pattern(fill: u8, len: u32) -> Vec<u8> {
    (0..len).map(|n| fill.wrapping_mul(31).wrapping_add((n ^ (n >> 8) ^ (n >> 16)) as u8)).collect()
}

/// Lengths and offsets: small, around pages, around what the kernel asks for at once, and anything below `most`.
pub fn places(most: u32) -> impl Strategy<Value = u32> {
    proptest::prop_oneof![
        3 => 0..100_u32,
        3 => proptest::sample::select(vec![4095, 4096, 4097, 8192, 65_535, 65_536, 131_072, 131_073]),
        4 => 0..most,
    ]
    .prop_map(move |n| n % (most + 1))
}

/// How long a sequence that fails is made shorter.
const SHRINK_MILLISECONDS: u32 = 90_000;
