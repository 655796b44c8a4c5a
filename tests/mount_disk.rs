//! The disk cache on mounts of real servers, which cannot send what they are forbidden to open.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use support::lab::{Lab, Options, Software};
use support::mount::Mount;
use support::process::{PROGRAM_LIMIT, wait_until, with_deadline};

const LIMIT: Duration = Duration::from_secs(120);
const SMALL: usize = 20;

fn content(number: usize, len: usize) -> Vec<u8> {
    (0..len).map(|i| ((i * 31 + number) % 253) as u8).collect()
}

/// Puts `bytes` on the server's disk as of a day ago.
fn put(lab: &Lab, name: &str, bytes: &[u8]) {
    let path = lab.dir().join(name);
    fs::write(&path, bytes).expect("the folder is ours");
    let day = Duration::from_secs(86_400);
    fs::File::open(&path).and_then(|file| file.set_modified(SystemTime::now() - day)).expect("the folder is ours");
    lab.hand_over(&path);
}

fn blocks(cache: &Path) -> usize {
    let inside = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let named = |path: &std::path::PathBuf| !path.to_string_lossy().contains("/.new-");
    inside(&cache.join("blocks-1")).flat_map(|shard| inside(&shard).collect::<Vec<_>>()).filter(named).count()
}

fn survives_kill(software: Software) {
    with_deadline(LIMIT, "mount_disk", move || {
        let lab = Lab::start(software, &Options::default());
        let cache = tempfile::tempdir().expect("a directory for the cache");
        let options = ["-o", &format!("cache_dir={}", cache.path().display())];
        let large = content(1, 4 << 20);
        put(&lab, "large", &large);
        (0..SMALL).for_each(|n| put(&lab, &format!("small{n}"), &content(n, 5000 + n)));
        let read = |mount: &Mount, name: &str| fs::read(mount.path().join(name));
        let all_there = |mount: &Mount| {
            assert!(read(mount, "large").expect("it can be read") == large);
            for n in 0..SMALL {
                assert!(read(mount, &format!("small{n}")).expect("it can be read") == content(n, 5000 + n));
            }
        };

        let mount = Mount::new(&lab.url(""), &options);
        all_there(&mount);
        let complete = || (blocks(cache.path()) == 32 + SMALL).then_some(());
        wait_until("blocks on the disk", PROGRAM_LIMIT, complete);
        mount.kill();

        // The server still shows the files, and can send none of them.
        let forbidden = fs::Permissions::from_mode(0o000);
        for entry in fs::read_dir(lab.dir()).expect("it is ours") {
            fs::set_permissions(entry.expect("a name").path(), forbidden.clone()).expect("it is ours");
        }
        let mount = Mount::new(&lab.url(""), &options);
        all_there(&mount);
        // What is another version is asked for.
        put(&lab, "other", b"new");
        fs::set_permissions(lab.dir().join("other"), forbidden).expect("it is ours");
        fs::rename(lab.dir().join("other"), lab.dir().join("small0")).expect("it is ours");
        mount.unmount();
        let mount = Mount::new(&lab.url(""), &options);
        read(&mount, "small0").expect_err("the server cannot send it");
        assert!(read(&mount, "small1").expect("it can be read") == content(1, 5001));
        mount.unmount();
    });
}

#[test]
fn what_vsftpd_has_sent_survives_a_kill() {
    survives_kill(Software::Vsftpd);
}

#[test]
fn what_pure_ftpd_has_sent_survives_a_kill() {
    survives_kill(Software::PureFtpd);
}
