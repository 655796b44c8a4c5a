//! The seeds of the fuzz targets, so that those keep compiling and what they check keeps holding where nobody fuzzes.

#[path = "../fuzz/checks/mod.rs"]
#[allow(unreachable_pub, reason = "the fuzz targets call it as a library")]
mod checks;

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_seed_keeps_the_promises_of_its_target() {
    for (target, check) in checks::ALL {
        let seeds = files(&fuzz().join("seeds").join(target));
        assert!(!seeds.is_empty(), "{target} has no seeds");
        for seed in seeds {
            // What fails names itself by the last line.
            println!("{}", seed.display());
            check(&fs::read(&seed).expect("a seed"));
        }
    }
}

#[test]
fn every_target_has_its_program() {
    let names = |dir: &str| files(&fuzz().join(dir)).iter().map(|path| stem(path)).collect::<Vec<_>>();
    let known = checks::ALL.map(|(name, _)| name.to_string());
    assert_eq!(names("fuzz_targets"), known);
    for name in names("dictionaries") {
        assert!(known.contains(&name), "dictionaries/{name}");
    }
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).expect("a manifest");
    for name in known {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

fn stem(path: &Path) -> String {
    path.file_stem().expect("a name").to_string_lossy().into_owned()
}
