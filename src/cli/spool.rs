//! Directories of this machine that a mount fills: for what is on its way to the server, and for what came from there.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use super::credentials::{Environment, reason};

/// Where root keeps it at boot, when there is no home.
pub(super) const SYSTEM: &str = "/var/cache/ftpfs";

/// The directory `wanted`, or the usual place for caches of the user `uid`. What does not begin at the root is passed
/// over in the environment, as the XDG Base Directory Specification wants it.
///
/// # Errors
/// A sentence for the user.
pub(super) fn choose(wanted: Option<&Path>, environment: &Environment, uid: u32) -> Result<PathBuf, String> {
    let absolute = |path: &Option<PathBuf>| path.clone().filter(|path| path.is_absolute());
    let usual = || absolute(&environment.cache_home).or_else(|| Some(absolute(&environment.home)?.join(".cache")));
    match wanted.map(Path::to_path_buf).or_else(|| Some(usual()?.join("ftpfs"))) {
        Some(path) => Ok(path),
        None if uid == 0 => Ok(SYSTEM.into()),
        None => Err("no place for the spool, because HOME is not set: name a directory with spool_dir".into()),
    }
}

/// What a directory is for, and the option that names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Purpose(&'static str, &'static str);

/// What is on its way to the server.
pub(super) const SPOOL: Purpose = Purpose("spool", "spool_dir");
/// What came from the server.
pub(super) const CACHE: Purpose = Purpose("cache", "cache_dir");

/// Makes `directory`, which is absolute and need not exist, free of links, and checks that it will not lie in the mount:
/// ftpfs would wait for itself.
///
/// # Errors
/// A sentence for the user.
pub(super) fn find(directory: &Path, Purpose(what, option): Purpose, mountpoint: &Path) -> Result<PathBuf, String> {
    let found = resolve(directory).map_err(|why| format!("{what} directory {}: {why}", directory.display()))?;
    if found.starts_with(mountpoint) {
        let (shown, place) = (directory.display(), mountpoint.display());
        return Err(format!("{what} directory {shown} is below the mountpoint {place}: name another with {option}"));
    }
    Ok(found)
}

/// Follows the links in as much of `path` as there is.
fn resolve(path: &Path) -> Result<PathBuf, String> {
    for there in path.ancestors() {
        let missing = path.strip_prefix(there).expect("an ancestor is a prefix");
        match there.canonicalize().and_then(|found| Ok((found.metadata()?.is_dir(), found))) {
            Ok((false, _)) => return Err("Not a directory".into()),
            // Nobody knows where this leads before the directory in front of it is made.
            Ok(_) if missing.components().any(|c| c == Component::ParentDir) => {
                return Err("No such file or directory".into());
            }
            // Joining nothing would add a slash.
            Ok((true, found)) if missing.as_os_str().is_empty() => return Ok(found),
            Ok((true, found)) => return Ok(found.join(missing)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(reason(&error)),
        }
    }
    Err("No such file or directory".into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_environment_names_the_usual_place() {
        let some = |text: &str| Some(PathBuf::from(text)).filter(|path| !path.as_os_str().is_empty());
        let chosen = |wanted: &str, cache_home: &str, home: &str, uid| {
            let environment = Environment { cache_home: some(cache_home), home: some(home), ..Environment::default() };
            choose(some(wanted).as_deref(), &environment, uid).map(|path| path.display().to_string())
        };
        for (wanted, cache_home, home, want) in [
            ("/w", "/c", "/h", "/w"),
            ("", "/c", "/h", "/c/ftpfs"),
            ("", "", "/h", "/h/.cache/ftpfs"),
            ("", "c", "/h", "/h/.cache/ftpfs"),
            ("", "", "", "/var/cache/ftpfs"),
            ("", "", "h", "/var/cache/ftpfs"),
        ] {
            assert_eq!(chosen(wanted, cache_home, home, 0), Ok(want.into()), "{wanted} {cache_home} {home}");
        }
        assert_eq!(chosen("", "/c", "", 7), Ok("/c/ftpfs".into()));
        assert!(chosen("", "", "", 7).is_err_and(|e| e.contains("spool_dir")));
    }

    #[test]
    fn a_spool_below_the_mountpoint_is_found_through_links() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let root = dir.path().canonicalize().expect("a path");
        let (mountpoint, link) = (root.join("mnt"), root.join("link"));
        fs::create_dir(&mountpoint).expect("mkdir");
        symlink(&mountpoint, &link).expect("symlink");
        fs::write(root.join("file"), "").expect("write");
        let found = |path: &str| {
            find(&root.join(path), SPOOL, &mountpoint).map_err(|text| text.replace(&format!("{}/", root.display()), ""))
        };
        for path in ["mnt", "mnt/spool", "link", "link/a/b", "mnt/../mnt/x"] {
            let want = format!("spool directory {path} is below the mountpoint mnt: name another with spool_dir");
            assert_eq!(found(path), Err(want));
        }
        let cache = find(&mountpoint, CACHE, &mountpoint).expect_err("it is the mountpoint itself");
        assert!(cache.starts_with("cache directory") && cache.ends_with("cache_dir"), "{cache}");
        // A name that only begins like it.
        assert_eq!(found("mnt2/spool"), Ok(root.join("mnt2/spool")));
        assert_eq!(found("link/../a"), Ok(root.join("a")));
        assert_eq!(found("file"), Err("spool directory file: Not a directory".into()));
        assert_eq!(found("file/a"), Err("spool directory file/a: Not a directory".into()));
        assert_eq!(found("no/../mnt/a"), Err("spool directory no/../mnt/a: No such file or directory".into()));
    }
}
