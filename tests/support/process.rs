//! Running programs and test bodies with a time limit: a test may fail, but never hang.
//!
//! A call into a FUSE mount cannot be interrupted, not even by SIGKILL, until the filesystem answers. So [`with_deadline`]
//! runs the body on a thread of its own, and where that falls silent it ends the processes that the body had
//! [entrusted](kill_on_overrun) to it: the kernel then fails every call that waits for them.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::panic;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Time for one program that a test runs, where nothing else is said: far more than any takes on a busy machine.
pub const PROGRAM_LIMIT: Duration = Duration::from_secs(120);

/// Runs `body` and returns what it returns; panics if it has not ended after `limit`.
pub fn with_deadline<T: Send + 'static>(limit: Duration, name: &str, body: impl FnOnce() -> T + Send + 'static) -> T {
    let entrusted = Entrusted::default();
    let for_body = Arc::clone(&entrusted);
    // Nothing is ever sent: the sender vanishes when the body ends, in whatever way.
    let (alive, ended) = mpsc::channel::<()>();
    let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _alive = alive;
        ENTRUSTED.set(Some(for_body));
        body()
    });
    let thread = thread.expect("a thread can be started");
    if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
        entrusted.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(end_tree);
        // Now its calls fail, and it may still clean up behind itself.
        ended.recv_timeout(CLEAN_UP_LIMIT).ok();
        panic!("{name}: no result within {limit:?}");
    }
    thread.join().unwrap_or_else(|cause| panic::resume_unwind(cause))
}

type Entrusted = Arc<Mutex<Vec<u32>>>;

thread_local! {
    /// The processes that end with the body that runs on this thread, where [`with_deadline`] runs it.
    static ENTRUSTED: RefCell<Option<Entrusted>> = const { RefCell::new(None) };
}

/// Has the surrounding [`with_deadline`] [end](end_tree) process `pid` if the body overruns.
pub fn kill_on_overrun(pid: u32) {
    ENTRUSTED.with_borrow(|list| {
        if let Some(list) = list {
            list.lock().unwrap_or_else(PoisonError::into_inner).push(pid);
        }
    });
}

/// Takes back [`kill_on_overrun`]: the process is gone, and its number may be another's tomorrow.
pub fn forget(pid: u32) {
    ENTRUSTED.with_borrow(|list| {
        if let Some(list) = list {
            list.lock().unwrap_or_else(PoisonError::into_inner).retain(|&known| known != pid);
        }
    });
}

/// Runs a program to its end and returns what it wrote, whatever its status; kills it and panics after `limit`.
///
/// Programs speak English and sort by bytes, so that outputs can be compared.
pub fn run(command: &mut Command, limit: Duration) -> Output {
    let line = shown(command);
    command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own: what it starts dies with it.
    let child = command.process_group(0).spawn().unwrap_or_else(|e| panic!("{line}: {e}; run scripts/setup"));
    let pid = child.id();
    let (sender, output) = mpsc::channel();
    // The thread ends with the program's pipes, which a surviving grandchild may hold open: it is not joined.
    thread::spawn(move || sender.send(child.wait_with_output()));
    match output.recv_timeout(limit) {
        Ok(output) => output.unwrap_or_else(|e| panic!("{line}: {e}")),
        Err(_) => {
            end_tree(pid);
            panic!("{line}: still running, or its output still held open by a process it left, after {limit:?}");
        }
    }
}

/// Runs a program that must succeed and returns its standard output.
pub fn stdout_of(command: &mut Command, limit: Duration) -> Vec<u8> {
    let output = run(command, limit);
    assert!(output.status.success(), "{}", report(command, &output));
    output.stdout
}

/// The program, how it ended and the end of what it wrote: for a failure message.
pub fn report(command: &Command, output: &Output) -> String {
    let (out, err) = (tail(&output.stdout), tail(&output.stderr));
    format!("{}: {}\n--- stdout\n{out}\n--- stderr\n{err}", shown(command), output.status)
}

/// Polls until `done` says something; panics after `limit`.
///
/// Only for what gives no event to wait for: another process's port, mount table or end.
pub fn wait_until<T>(what: &str, limit: Duration, mut done: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(Instant::now() < end, "{what}: not within {limit:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether process `pid` still runs; a zombie does not.
pub fn is_running(pid: u32) -> bool {
    stat_fields(pid).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

/// All processes below `pid`, children first.
pub fn descendants(pid: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = all_pids().filter_map(|p| Some((p, stat_fields(p)?.1))).collect();
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(p, _)| p));
        next += 1;
    }
    found.split_off(1)
}

/// The numbers of all processes that this one can see.
pub fn all_pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// State letter and parent from /proc/PID/stat, or None where the process is gone.
fn stat_fields(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name before it stands in parentheses and may hold anything, more parentheses too.
    let after_name = stat.iter().rposition(|&b| b == b')')?;
    let mut fields = std::str::from_utf8(&stat[after_name + 1..]).ok()?.split_ascii_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Sends a signal to one process; one that is gone already is no error.
pub fn signal(pid: u32, number: libc::c_int) {
    send_signal(pid as libc::pid_t, number);
}

/// Kills process `pid`, the group it leads if it leads one, and all processes below it.
pub fn end_tree(pid: u32) {
    let below = descendants(pid);
    send_signal(-(pid as libc::pid_t), libc::SIGKILL);
    signal(pid, libc::SIGKILL);
    below.into_iter().for_each(|pid| signal(pid, libc::SIGKILL));
}

#[allow(unsafe_code, reason = "std can only kill, and only its own children")]
fn send_signal(target: libc::pid_t, number: libc::c_int) {
    // 0 and -1 would reach our own group and everybody.
    assert!(!(-1..=1).contains(&target), "no process to signal: {target}");
    // SAFETY: kill takes two numbers and touches no memory of ours.
    let sent = unsafe { libc::kill(target, number) };
    let error = io::Error::last_os_error();
    assert!(sent == 0 || error.raw_os_error() == Some(libc::ESRCH), "kill {target}: {error}");
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn tail(bytes: &[u8]) -> String {
    const MOST: usize = 4000;
    let from = bytes.len().saturating_sub(MOST);
    format!("{}{}", if from > 0 { "[...] " } else { "" }, String::from_utf8_lossy(&bytes[from..]))
}

/// A program with its arguments, for calls on one line.
pub fn command<I: Into<OsString>>(program: &str, arguments: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments.into_iter().map(Into::into));
    command
}

/// Time for a body that overran to drop what it holds.
const CLEAN_UP_LIMIT: Duration = Duration::from_secs(10);
