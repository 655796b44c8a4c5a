//! A place where programs write, what lies behind it, and a twin on a plain disk that gets the same commands.
//!
//! The place is a mount of a real server or, to prove the measure itself, a plain directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::lab::{Lab, Software};
use super::mount::Mount;
use super::process::{PROGRAM_LIMIT, report, run, with_deadline};
use super::themes::Setup;
use super::twin::{self, Keeps, Rules};

/// Where a body works.
#[derive(Clone, Debug)]
pub enum Place {
    /// A directory of this machine: what happens there is right by definition.
    Plain,
    /// A mount of a server.
    Served(Setup),
}

/// One module per place, one test per body.
#[macro_export]
macro_rules! benches {
    ($($module:ident: $place:expr => $bodies:path: [$($body:ident),* $(,)?];)*) => { $(
        mod $module {
            use super::*;
            use $bodies as bodies;

            $(
                #[test]
                fn $body() {
                    let name = concat!(module_path!(), "::", stringify!($body));
                    $crate::support::bench::run_body(name, $place, bodies::$body);
                }
            )*
        }
    )* };
}

/// Runs one body under a deadline, and looks at what it leaves.
pub fn run_body(name: &'static str, place: Place, body: fn(&mut Bench)) {
    with_deadline(BODY_LIMIT, name, move || {
        let mut bench = Bench::new(&place);
        body(&mut bench);
        bench.finish();
    });
}

/// Generous: it tells a hang from slowness, nothing else.
const BODY_LIMIT: Duration = Duration::from_secs(500);

/// See the module.
pub struct Bench {
    // Goes before the server does.
    mount: Option<Mount>,
    lab: Option<Lab>,
    /// Where programs work.
    dir: PathBuf,
    /// What the server holds, on this machine's disk.
    disk: PathBuf,
    folder: TempDir,
    rules: Rules,
    software: Option<Software>,
}

impl Bench {
    /// An empty place.
    pub fn new(place: &Place) -> Self {
        let folder = tempfile::Builder::new().prefix("ftpfs-bench-").tempdir().expect("a temporary folder");
        for name in ["plain", "twin", "material"] {
            fs::create_dir(folder.path().join(name)).expect("the folder is empty");
        }
        let keeps = Keeps { modes: true, times: true, dir_times: true };
        let rules = Rules { keeps, began: twin::now(), except: &[] };
        let plain = folder.path().join("plain");
        let bench = Self { mount: None, lab: None, dir: plain.clone(), disk: plain, folder, rules, software: None };
        match place {
            Place::Plain => bench,
            Place::Served(setup) => bench.served(setup),
        }
    }

    fn served(self, setup: &Setup) -> Self {
        let lab = setup.serve(|_| {});
        let mount = setup.mount(&lab, "");
        // vsftpd and pyftpdlib set the time of files only.
        let dir_times = matches!(setup.software, Software::ProFtpd | Software::PureFtpd);
        let allows = setup.options.allows;
        let keeps = Keeps { modes: allows.modes, times: allows.times, dir_times: dir_times && allows.times };
        Self {
            dir: mount.path(),
            disk: lab.dir(),
            mount: Some(mount),
            lab: Some(lab),
            rules: Rules { keeps, ..self.rules },
            software: Some(setup.software),
            ..self
        }
    }

    /// Where programs work.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the server holds.
    pub fn disk(&self) -> &Path {
        &self.disk
    }

    /// The plain directory that gets the same commands.
    pub fn twin(&self) -> PathBuf {
        self.folder.path().join("twin")
    }

    /// Where inputs of programs lie; commands know it as `$M`.
    pub fn material(&self) -> PathBuf {
        self.folder.path().join("material")
    }

    /// The server; `None` for a plain directory.
    pub fn software(&self) -> Option<Software> {
        self.software
    }

    /// The server itself; `None` for a plain directory.
    pub fn lab(&self) -> Option<&Lab> {
        self.lab.as_ref()
    }

    /// Seconds since 1970 when the bench was made.
    pub fn began(&self) -> i64 {
        self.rules.began
    }

    /// How its two sides are compared.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Makes something under `name` that was there before ftpfs came, on the server's disk and in the twin; the mount must
    /// be told to believe nothing for long, to see it.
    pub fn there_before(&self, name: &str, fill: &dyn Fn(&Path)) {
        fill(&self.twin().join(name));
        let path = self.disk.join(name);
        fill(&path);
        if let Some(lab) = &self.lab {
            lab.hand_over(&path);
        }
    }

    /// Has paths with one of `parts` in them compared by name and kind only.
    pub fn except(&mut self, parts: &'static [&'static str]) {
        self.rules.except = parts;
    }

    /// Runs shell commands in the place and in the twin: they succeed, say the same and have nothing to complain of,
    /// and the server then holds what the twin does.
    pub fn does(&self, script: &str) {
        let (said, wanted) = (self.says(script), shell(&self.twin(), &self.material(), script));
        assert_eq!(said, wanted, "another output of\n{script}");
        self.holds(script);
    }

    /// Runs shell commands in the place alone and returns what they say.
    pub fn says(&self, script: &str) -> String {
        shell(&self.dir, &self.material(), script)
    }

    /// Asserts that the server holds what the twin does.
    pub fn holds(&self, when: &str) {
        twin::same(&self.twin(), &self.disk, &self.rules, when);
    }

    /// Unmounts; asserts that nothing has changed by it and that no name of ftpfs's own is left on the server.
    pub fn finish(self) {
        let Self { mount, lab, disk, folder, rules, .. } = self;
        if let Some(mount) = mount {
            mount.unmount();
        }
        twin::same(&folder.path().join("twin"), &disk, &rules, "the unmount");
        let left = twin::named_like(&disk, OWN_NAMES);
        assert!(left.is_empty(), "left on the server: {left:?}");
        drop(lab);
    }
}

/// Runs shell commands that must succeed and complain of nothing; returns what they say.
pub fn shell(dir: &Path, material: &Path, script: &str) -> String {
    let mut command = in_shell(dir, material, script);
    let output = run(&mut command, PROGRAM_LIMIT);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", report(&command, &output));
    String::from_utf8(output.stdout).expect("text in UTF-8")
}

/// Shell commands in `dir`; what lies in `material` is `$M`. The first that fails is the last.
pub fn in_shell(dir: &Path, material: &Path, script: &str) -> Command {
    let mut command = Command::new("/bin/bash");
    command.args(["-euc", &format!("set -o pipefail; umask 022; {script}")]);
    // Nothing of the user's own: programs read settings there.
    command.current_dir(dir).env("M", material).env("HOME", material).env_remove("XDG_CONFIG_HOME");
    command
}

/// What all names begin with that ftpfs gives on a server by itself.
pub const OWN_NAMES: &str = ".ftpfs-";
