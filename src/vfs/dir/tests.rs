use super::*;
use crate::base::SystemClock;
use crate::remote::{Entry, Kind, Precision, Stamp};

fn name(s: &str) -> Name {
    Name::new(s.as_bytes()).expect("valid")
}

fn meta(size: u64) -> Meta {
    Meta { kind: Kind::File, size: Some(size), mtime: None, mode: None, unique: None }
}

fn listing(names: &[&str]) -> Arc<Listing> {
    let entries = names.iter().map(|n| Entry { name: name(n), meta: meta(1) }).collect();
    Arc::new(Listing::new(entries, true, Instant::now()))
}

/// What a walk along the places meets.
fn walk(listing: &Listing) -> Vec<String> {
    (0..listing.len()).filter_map(|at| listing.entry(at)).map(|(name, _, _)| name.to_string()).collect()
}

fn cache() -> DirCache {
    DirCache::new(Arc::new(SystemClock))
}

const DIR: Ino = Ino(7);
const LONG: Duration = Duration::from_secs(3600);

/// Begins a load of `DIR`, as `load` does.
fn begin(cache: &DirCache) -> Arc<Load> {
    let load = Arc::new(Load::new());
    cache.map.lock().loads.insert(DIR, Arc::clone(&load));
    load
}

fn finish(cache: &DirCache, load: &Load, listing: Arc<Listing>) -> Arc<Listing> {
    Loading { cache, dir: DIR, load }.finish(Ok(listing)).expect("it is what was handed in")
}

#[test]
fn of_two_entries_of_one_name_the_last_one_counts() {
    let entries = [("a", 1), ("b", 2), ("a", 3)].map(|(n, size)| Entry { name: name(n), meta: meta(size) });
    let listing = Listing::new(entries.into(), true, Instant::now());
    assert_eq!(walk(&listing), ["a", "b"]);
    assert_eq!(listing.meta(b"a").expect("there").0.size, Some(3));
}

#[test]
fn a_name_that_comes_back_takes_its_old_place() {
    let cache = cache();
    let held = finish(&cache, &begin(&cache), listing(&["a", "b", "c"]));
    cache.remove(DIR, &name("a"));
    cache.put(DIR, &name("d"), &meta(2));
    assert_eq!(walk(&held), ["b", "c", "d"]);
    assert!(held.find(b"a").is_none() && held.meta(b"a").is_none());
    cache.put(DIR, &name("a"), &meta(9));
    assert_eq!(walk(&held), ["a", "b", "c", "d"]);
    assert_eq!(held.meta(b"a").expect("there").0.size, Some(9));
}

#[test]
fn a_listing_that_was_asked_for_before_a_change_arrives_with_it() {
    let cache = cache();
    let load = begin(&cache);
    cache.put(DIR, &name("new"), &meta(5));
    cache.remove(DIR, &name("old"));
    cache.update(DIR, &name("kept"), |meta| meta.mode = Some(0o600));
    cache.put(DIR, &name("brief"), &meta(5));
    cache.remove(DIR, &name("brief"));
    let arrived = finish(&cache, &load, listing(&["old", "kept", "brief"]));
    assert_eq!(walk(&arrived), ["kept", "new"]);
    assert_eq!(arrived.meta(b"kept").expect("there").0.mode, Some(0o600));
    // And the next one is the server's again.
    let next = finish(&cache, &begin(&cache), listing(&["old"]));
    assert_eq!(walk(&next), ["old"]);
}

#[test]
fn whoever_walks_along_an_old_listing_sees_our_changes_too() {
    let cache = cache();
    let old = finish(&cache, &begin(&cache), listing(&["a", "b"]));
    let new = finish(&cache, &begin(&cache), listing(&["a", "b", "c"]));
    cache.remove(DIR, &name("a"));
    assert_eq!((walk(&old), walk(&new)), (vec!["b".to_owned()], vec!["b".to_owned(), "c".to_owned()]));
    cache.forget(DIR);
    cache.remove(DIR, &name("b"));
    assert_eq!((walk(&old).len(), walk(&new)), (0, vec!["c".to_owned()]));
    drop((old, new));
    cache.remove(DIR, &name("c"));
    assert!(cache.map.lock().held.is_empty());
}

#[test]
fn a_listing_that_was_asked_for_before_it_was_forgotten_is_not_believed() {
    let cache = cache();
    let load = begin(&cache);
    cache.forget(DIR);
    assert_eq!(walk(&finish(&cache, &load, listing(&["a"]))), ["a"]);
    assert!(cache.get(DIR, LONG).is_none());
}

#[test]
fn names_of_our_own_files_do_not_show() {
    let cache = cache();
    cache.reserve(&name(".part"));
    let load = begin(&cache);
    assert_eq!(walk(&finish(&cache, &load, listing(&["a", ".part"]))), ["a"]);
    // A listing that is on its way has seen the name which is gone now.
    let load = begin(&cache);
    cache.unreserve(DIR, &name(".part"));
    assert_eq!(walk(&finish(&cache, &load, listing(&["a", ".part"]))), ["a"]);
    assert_eq!(walk(&finish(&cache, &begin(&cache), listing(&[".part"]))), [".part"]);
}

#[test]
fn a_directory_of_our_own_making_is_known_to_be_empty() {
    let cache = cache();
    cache.made(DIR);
    let made = cache.get(DIR, LONG).expect("known at once");
    assert!(made.complete && made.len() == 0);
    cache.put(DIR, &name("a"), &meta(1));
    assert_eq!(walk(&made), ["a"]);
}

#[test]
fn names_that_come_and_go_take_no_memory() {
    let cache = cache();
    cache.made(DIR);
    cache.put(DIR, &name("stays"), &meta(1));
    for i in 0..10_000 {
        let passing = name(&format!("f{i}"));
        cache.put(DIR, &passing, &meta(1));
        cache.remove(DIR, &passing);
    }
    let listing = cache.get(DIR, LONG).expect("kept");
    assert!(listing.len() < 2500, "{} places", listing.len());
    assert_eq!(walk(&listing), ["stays"]);
    assert_eq!(cache.map.lock().entries, listing.len(), "what is counted is what is there");
}

#[test]
fn what_we_know_exactly_is_not_asked_for() {
    let cache = cache();
    let held = finish(&cache, &begin(&cache), listing(&["a", "b"]));
    assert_eq!(held.meta(b"a").map(|(_, exact)| exact), Some(false), "nobody has said when");
    cache.put(DIR, &name("a"), &Meta { mtime: Some(Stamp::exact(5)), ..meta(1) });
    assert_eq!(held.meta(b"a").map(|(_, exact)| exact), Some(true));
    cache.update(DIR, &name("b"), |meta| meta.mtime = Some(Stamp::exact(6)));
    let (meta, exact) = held.meta(b"b").expect("there");
    assert_eq!((meta.mtime.map(|t| (t.secs, t.precision)), exact), (Some((6, Precision::Second)), true));
}
