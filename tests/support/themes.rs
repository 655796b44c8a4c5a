//! What every program must see on every real server, however it is reached: themes, written once.
//!
//! [`Setup`] says which server, how it is started and how ftpfs is told; each theme takes one.

use std::fs;
use std::net::Ipv6Addr;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::lab::{Lab, Options, Software, Tls};
use super::mount::Mount;
use super::process::{stdout_of, with_deadline};
use super::programs::{self, Scene};
use super::tree::{self, Links, What};

/// A way to reach a server.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Which server.
    pub software: Software,
    /// How it is started.
    pub options: Options,
    /// Options of ftpfs, beside the authority where there is TLS.
    pub arguments: &'static [&'static str],
}

/// Generous: it tells a hang from slowness, nothing else.
const THEME_LIMIT: Duration = Duration::from_secs(400);

/// One module per way to reach a server, one test per theme. `Setup` comes from the function named after the `=>`.
#[macro_export]
macro_rules! themes {
    ($($module:ident: $setup:expr => [$($theme:ident),* $(,)?];)*) => { $(
        mod $module {
            use super::*;

            $(
                #[test]
                fn $theme() {
                    let name = concat!(module_path!(), "::", stringify!($theme));
                    $crate::support::themes::run(name, $setup, $crate::support::themes::$theme);
                }
            )*
        }
    )* };
}

/// Runs one theme under a deadline.
pub fn run(name: &'static str, setup: Setup, theme: fn(&Setup)) {
    with_deadline(THEME_LIMIT, name, move || theme(&setup));
}

macro_rules! of_programs {
    ($($theme:ident)*) => { $(
        /// The theme of the same name in `programs`.
        pub fn $theme(setup: &Setup) {
            programs::$theme(&|fill| setup.scene(fill));
        }
    )* };
}

of_programs! { walking copying searching checksums parallel_readers random_reads ten_thousand_entries }

impl Setup {
    /// A server as it starts by itself, reached as ftpfs does by itself.
    pub fn plain(software: Software) -> Self {
        Self { software, options: Options::default(), arguments: &[] }
    }

    /// What the server lets a client know, content included.
    pub fn tells(&self) -> What {
        let links = match self.software {
            Software::Vsftpd => Links::Known,
            Software::ProFtpd | Software::PureFtpd => Links::Vague,
            Software::Pyftpdlib => Links::Followed,
        };
        // LIST shows an old directory's day only, and MDTM refuses directories.
        What { content: true, dir_times: self.software != Software::Vsftpd, modes: true, links }
    }

    /// Mounts `path` of a server that was started for this setup.
    pub fn mount(&self, lab: &Lab, path: &str) -> Mount {
        let words = self.words(lab);
        Mount::new(&lab.url(path), &words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The options for ftpfs.
    fn words(&self, lab: &Lab) -> Vec<String> {
        let mut words: Vec<String> = self.arguments.iter().map(ToString::to_string).collect();
        if self.options.tls != Tls::Off {
            words.extend(["-o".into(), format!("cacert={}", lab.ca().display())]);
        }
        words
    }

    /// A server with what `fill` makes on its disk.
    pub fn serve(&self, fill: impl FnOnce(&Path)) -> Lab {
        let lab = Lab::start(self.software, &self.options);
        fill(&lab.dir());
        lab.hand_over(&lab.dir());
        lab
    }

    fn mounted(&self, fill: impl FnOnce(&Path)) -> (Lab, Mount) {
        let lab = self.serve(fill);
        let mount = self.mount(&lab, "");
        (lab, mount)
    }

    /// The same for the themes that are everybody's.
    fn scene(&self, fill: &dyn Fn(&Path)) -> Scene {
        let (lab, mount) = self.mounted(fill);
        let (disk, url, arguments) = (lab.dir(), lab.url(""), self.words(&lab));
        Scene { mount, disk, tells: self.tells(), url, arguments, server: Box::new(lab) }
    }
}

/// Offsets that need more than 31 and 32 bits.
pub fn beyond_four_gib(setup: &Setup) {
    const SIZE: u64 = (4 << 30) + (1 << 20) + 13;
    const PLACES: [u64; 6] = [0, (2 << 30) - (64 << 10), 2 << 30, (4 << 30) - (64 << 10), 4 << 30, SIZE - 13 - 4096];
    let (lab, mount) = setup.mounted(|dir| tree::sparse(&dir.join("sparse"), SIZE, &PLACES));
    let (disk, shown) = (lab.dir().join("sparse"), mount.path().join("sparse"));
    let disk_file = programs::open(&disk);
    programs::far_places(&shown, SIZE, &|at, length| programs::range(&disk_file, at, length));
    // Once from end to end; the others only differ in how they jump.
    if setup.software == Software::Vsftpd && setup.options.tls == Tls::Off {
        stdout_of(Command::new("cmp").args([disk, shown]), THEME_LIMIT);
    }
    mount.unmount();
}

/// Names that other clients trip over, with one more for the servers that serve it.
pub fn odd_names(setup: &Setup) {
    programs::odd_names(&|fill| {
        setup.scene(&|dir| {
            fill(dir);
            if setup.software != Software::PureFtpd {
                fs::write(dir.join(tree::BACKSLASH), "backslash").expect("a new file");
            }
        })
    });
}

/// Symbolic links, as far as the server tells.
pub fn symbolic_links(setup: &Setup) {
    let (lab, mount) = setup.mounted(tree::links);
    tree::compare(&lab.dir(), &mount.path(), setup.tells());
    mount.unmount();
}

/// A mount of a directory below the login directory, with escapes in its URL.
pub fn subdirectory(setup: &Setup) {
    let lab = setup.serve(|dir| {
        fs::create_dir(dir.join("a b#%41")).expect("a new directory");
        tree::everyday(&dir.join("a b#%41"));
    });
    for path in ["a%20b%23%2541", "/a%20b%23%2541/", "a%20b%23%2541/docs/deep"] {
        let mount = setup.mount(&lab, path);
        let disk = lab.dir().join("a b#%41");
        let disk = if path.ends_with("deep") { disk.join("docs/deep") } else { disk };
        tree::compare(&disk, &mount.path(), setup.tells());
        mount.unmount();
    }
}

/// A server that admits two sessions, and a mount that would like eight.
pub fn few_connections(setup: &Setup) {
    let files: Vec<String> = (0..8).map(|n| format!("file {n}")).collect();
    let setup = &Setup { options: Options { max_clients: 2, ..setup.options.clone() }, ..setup.clone() };
    let (lab, mount) = setup.mounted(|dir| files.iter().for_each(|f| tree::file(&dir.join(f), 3 << 20)));
    thread::scope(|readers| {
        for name in &files {
            let (disk, shown) = (lab.dir().join(name), mount.path().join(name));
            readers.spawn(move || {
                let difference = tree::first_difference(&disk, &shown).expect("both can be read");
                assert_eq!(difference, None, "{name} differs");
            });
        }
    });
    tree::compare(&lab.dir(), &mount.path(), What { content: false, ..setup.tells() });
    mount.unmount();
}

/// The same over IPv6, where `PASV` cannot help.
pub fn ipv6(setup: &Setup) {
    let options = Options { addr: Ipv6Addr::LOCALHOST.into(), ..setup.options.clone() };
    let setup = &Setup { options, ..setup.clone() };
    let (lab, mount) = setup.mounted(tree::everyday);
    tree::compare(&lab.dir(), &mount.path(), setup.tells());
    mount.unmount();
}
