//! The built `ftpfs` on a temporary mountpoint; never left behind, whatever the test does.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::process::{self, PROGRAM_LIMIT, is_running, report, run, signal, wait_until};

/// A mounted server. Dropping it unmounts, by force if need be.
pub struct Mount {
    place: Arc<Place>,
    pid: u32,
    /// Where it runs in the foreground.
    child: Option<Child>,
}

impl Mount {
    /// Mounts `url` in the background with further arguments; returns once ftpfs has said that it is ready.
    ///
    /// # Panics
    /// Where ftpfs fails, with its message and its log.
    pub fn new(url: &str, arguments: &[&str]) -> Self {
        Self::at(&Arc::default(), User::Root, url, arguments)
    }

    /// Mounts `url` like [`Mount::new`] as the user `nobody`, by way of the setuid `fusermount3`.
    pub fn as_nobody(url: &str, arguments: &[&str]) -> Self {
        Self::at(&Arc::default(), User::Nobody, url, arguments)
    }

    /// Mounts `url` like [`Mount::new`] in a place that another mount may have had before.
    pub fn at(place: &Arc<Place>, user: User, url: &str, arguments: &[&str]) -> Self {
        let mut command = match user {
            User::Root => with_signals(Command::new("env"), env!("CARGO_BIN_EXE_ftpfs")),
            User::Nobody => with_signals(Self::nobody("env"), place.give_to_nobody()),
        };
        set_up(&mut command, url, arguments, place);
        Self::background(Arc::clone(place), command)
    }

    /// A program to be run as the user `nobody`.
    pub fn nobody(program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("setpriv");
        let id = NOBODY.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"]).arg(program);
        command
    }

    /// Where it is mounted, to mount there again.
    pub fn place(&self) -> Arc<Place> {
        Arc::clone(&self.place)
    }

    fn background(place: Arc<Place>, mut command: Command) -> Self {
        let output = run(&mut command, MOUNT_LIMIT);
        assert!(output.status.success(), "{}\n--- log\n{}", report(&command, &output), place.log());
        let pid = daemon_of(&place.mountpoint());
        let pid = pid.unwrap_or_else(|| panic!("ftpfs reported success, but no process serves the mount"));
        process::kill_on_overrun(pid);
        let mount = Self { place, pid, child: None };
        assert!(is_mounted(&mount.path()), "ftpfs reported success without a mount:\n{}", mount.log());
        mount
    }

    /// Mounts `url` with ftpfs as a child of this process; returns once the mount is there.
    pub fn foreground(url: &str, arguments: &[&str]) -> Self {
        Self::foreground_at(&Arc::default(), url, arguments)
    }

    /// Mounts `url` like [`Mount::foreground`] in a place that another mount may have had before.
    pub fn foreground_at(place: &Arc<Place>, url: &str, arguments: &[&str]) -> Self {
        let place = Arc::clone(place);
        let mut command = ftpfs(url, arguments, &place);
        let output = fs::File::create(place.folder.path().join(OUTPUT)).expect("the folder is ours");
        let again = output.try_clone().expect("a second descriptor");
        let child = command.arg("-f").stdin(Stdio::null()).stdout(output).stderr(again).spawn();
        let child = child.expect("cargo has built ftpfs");
        process::kill_on_overrun(child.id());
        let mut mount = Self { pid: child.id(), place, child: Some(child) };
        wait_until("a mount in the foreground", MOUNT_LIMIT, || {
            if let Some(status) = mount.exit_status() {
                panic!("ftpfs -f ended before it mounted ({status}):\n{}{}", mount.output(), mount.log());
            }
            is_mounted(&mount.path()).then_some(())
        });
        mount
    }

    /// Runs ftpfs where it is expected to fail: returns what it said, and asserts that it left no mount and no process.
    pub fn refused(url: &str, arguments: &[&str]) -> Output {
        let place = Place::default();
        let mut command = ftpfs(url, arguments, &place);
        let output = run(&mut command, MOUNT_LIMIT);
        let mounted = is_mounted(&place.mountpoint());
        assert!(!mounted && !output.status.success(), "ftpfs was to fail: {}", report(&command, &output));
        let gone = || daemon_of(&place.mountpoint()).is_none().then_some(());
        wait_until("the end of an ftpfs that failed", UNMOUNT_LIMIT, gone);
        output
    }

    /// The mounted directory.
    pub fn path(&self) -> PathBuf {
        self.place.mountpoint()
    }

    /// The process that serves the mount.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What ftpfs wrote to its log file so far.
    pub fn log(&self) -> String {
        self.place.log()
    }

    /// What a foreground ftpfs wrote to its standard output and error so far.
    pub fn output(&self) -> String {
        self.place.text(OUTPUT)
    }

    /// The most memory that ftpfs has had in use at once, in bytes.
    pub fn peak_rss(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).expect("ftpfs runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells VmHWM");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib * 1024
    }

    /// How a foreground ftpfs ended, if it has.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().expect("the child is ours"))
    }

    /// Unmounts like a user and asserts that the process ends; returns its log.
    pub fn unmount(self) -> String {
        self.unmount_as(User::Root)
    }

    /// Unmounts like [`Mount::unmount`] as the one who has mounted.
    pub fn unmount_as(self, user: User) -> String {
        let mut command = match user {
            User::Root => Command::new("fusermount3"),
            User::Nobody => Self::nobody("fusermount3"),
        };
        command.arg("-u").arg(self.path());
        wait_until("an unmount", UNMOUNT_LIMIT, || {
            let output = run(&mut command, UNMOUNT_LIMIT);
            // A child that another test starts just now holds our descriptors, closed or not, until it runs its program.
            let busy = String::from_utf8_lossy(&output.stderr).contains("Device or resource busy");
            assert!(busy || output.status.success(), "{}\n--- log\n{}", report(&command, &output), self.log());
            output.status.success().then_some(())
        });
        self.ended()
    }

    /// Ends ftpfs by SIGKILL, and then takes the dead mount away.
    pub fn kill(self) {
        signal(self.pid, libc::SIGKILL);
        self.gone();
    }

    /// Waits for the end of an ftpfs that somebody has killed, and takes the dead mount away.
    pub fn gone(mut self) {
        self.wait_for_end();
    }

    /// How a foreground ftpfs has ended by now: waits for its end.
    pub fn status(&mut self) -> ExitStatus {
        wait_until("the end of ftpfs in the foreground", UNMOUNT_LIMIT, || self.exit_status())
    }

    /// Asserts that ftpfs ends now that someone has unmounted; returns its log.
    pub fn ended(mut self) -> String {
        self.wait_for_end();
        assert!(!is_mounted(&self.path()), "still mounted:\n{}", self.log());
        self.log()
    }

    /// Asks ftpfs to end with SIGTERM, asserts that it does and that nothing stays mounted; returns its log.
    pub fn terminate(self) -> String {
        signal(self.pid, libc::SIGTERM);
        self.ended()
    }

    fn wait_for_end(&mut self) {
        wait_until("the end of ftpfs after its mount", UNMOUNT_LIMIT, || {
            // Collects a foreground child, which would stay a zombie.
            self.exit_status();
            (!is_running(self.pid)).then_some(())
        });
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.place.detach();
        // The number may have passed to another process if ours is gone.
        if serves(self.pid, &self.path()) {
            signal(self.pid, libc::SIGKILL);
        }
        if let Some(child) = &mut self.child {
            child.wait().ok();
        }
        process::forget(self.pid);
        if std::thread::panicking() {
            eprintln!("--- log of ftpfs {}\n{}", self.pid, self.log());
        }
    }
}

/// Whether something is mounted on exactly `path`.
pub fn is_mounted(path: &Path) -> bool {
    let mounts = fs::read("/proc/self/mountinfo").expect("/proc is mounted");
    // The temporary path needs none of the table's escapes.
    mounts.split(|&b| b == b'\n').any(|line| line.split(|&b| b == b' ').nth(4) == Some(path.as_os_str().as_bytes()))
}

/// Who mounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// By the system call.
    Root,
    /// Somebody who may not, and asks `fusermount3`.
    Nobody,
}

/// `program`, run by `env`: a test runner in the background ignores SIGINT, and ftpfs respects that.
fn with_signals(mut env: Command, program: impl AsRef<OsStr>) -> Command {
    env.arg("--default-signal=INT,HUP").arg(program);
    env
}

fn ftpfs(url: &str, arguments: &[&str], place: &Place) -> Command {
    let mut command = with_signals(Command::new("env"), env!("CARGO_BIN_EXE_ftpfs"));
    set_up(&mut command, url, arguments, place);
    command
}

fn set_up(command: &mut Command, url: &str, arguments: &[&str], place: &Place) {
    let folder = place.folder.path();
    command.args(["--log-level", "debug", "--log-file"]).arg(folder.join(LOG)).args(arguments);
    command.arg(url).arg(place.mountpoint());
    // The test's own environment must not log in for it.
    command.env_remove("FTPFS_PASSWORD").env("HOME", folder).env_remove("NETRC");
}

/// A temporary folder with a mountpoint in it.
///
/// It goes with the value, unless something is still mounted there after all: to delete that would be to delete the
/// server's files.
pub struct Place {
    folder: TempDir,
}

impl Default for Place {
    fn default() -> Self {
        let folder = tempfile::Builder::new().prefix("ftpfs-mount-").tempdir().expect("a temporary folder");
        // Tests with -o allow_other come through as other users.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        let place = Self { folder };
        fs::create_dir(place.mountpoint()).expect("the folder is empty");
        place
    }
}

impl Place {
    /// The directory to mount on.
    pub fn mountpoint(&self) -> PathBuf {
        self.folder.path().join("mnt")
    }

    /// Makes it a place where `nobody` can mount, with a program to do so: the build folder may lie where only its owner
    /// can go.
    fn give_to_nobody(&self) -> PathBuf {
        let program = self.folder.path().join("ftpfs");
        if !program.exists() {
            for path in [self.folder.path(), &self.mountpoint()] {
                std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).expect("root may");
            }
            // By a program: a descriptor of ours for writing, inherited by a child that another test starts meanwhile, would
            // keep the copy from being run ("Text file busy").
            let copied = run(Command::new("cp").arg(env!("CARGO_BIN_EXE_ftpfs")).arg(&program), MOUNT_LIMIT);
            assert!(copied.status.success(), "cargo has built ftpfs");
        }
        program
    }

    fn log(&self) -> String {
        self.text(LOG)
    }

    /// A file of the folder, empty where there is none.
    fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join(name)).unwrap_or_default()).into_owned()
    }

    /// Takes the mount out of the tree, even while it is in use or its server is dead.
    fn detach(&self) {
        if is_mounted(&self.mountpoint()) {
            Command::new("fusermount3").args(["-u", "-z", "-q"]).arg(self.mountpoint()).status().ok();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.detach();
        self.folder.disable_cleanup(is_mounted(&self.mountpoint()));
    }
}

/// The process that serves `mountpoint`.
fn daemon_of(mountpoint: &Path) -> Option<u32> {
    process::all_pids().find(|&pid| serves(pid, mountpoint))
}

/// Whether `pid` is an ftpfs with `mountpoint` among its arguments; the temporary path makes it ours.
fn serves(pid: u32, mountpoint: &Path) -> bool {
    let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    let mut words = line.split(|&b| b == 0);
    let program = words.next().unwrap_or_default();
    program.ends_with(b"ftpfs") && words.any(|word| word == mountpoint.as_os_str().as_bytes()) && is_running(pid)
}

/// Debian's user and group `nobody` and `nogroup`.
const NOBODY: u32 = 65_534;
const LOG: &str = "ftpfs.log";
const OUTPUT: &str = "output";
/// Connecting and logging in: vsftpd and Pure-FTPd delay some answers by seconds.
const MOUNT_LIMIT: Duration = Duration::from_secs(30);
const UNMOUNT_LIMIT: Duration = PROGRAM_LIMIT;
