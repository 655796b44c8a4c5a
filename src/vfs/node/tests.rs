use super::*;

fn known(kind: Kind) -> Known {
    let meta = Meta { kind, size: Some(1), mtime: None, mode: None, unique: None };
    Known { meta, since: Instant::now(), exact: true }
}

fn table() -> NodeTable {
    NodeTable::new(RemotePath::new(b"/home/u").expect("valid"), known(Kind::Dir))
}

fn name(s: &str) -> Name {
    Name::new(s.as_bytes()).expect("valid")
}

#[test]
fn a_number_stays_until_every_lookup_is_forgotten() {
    let nodes = table();
    let a = nodes.enter(Ino::ROOT, &name("a"), known(Kind::File)).expect("root is known");
    assert_eq!(nodes.enter(Ino::ROOT, &name("a"), known(Kind::File)), Some(a));
    nodes.forget(a, 1);
    assert!(nodes.known(a).is_some());
    nodes.forget(a, 1);
    assert!(nodes.known(a).is_none());
    let again = nodes.enter(Ino::ROOT, &name("a"), known(Kind::File)).expect("root is known");
    assert_ne!(again, a, "a forgotten number is not used again");
    nodes.forget(again, 1);
    assert_eq!(nodes.len(), 1);
}

#[test]
fn another_type_is_another_inode() {
    let nodes = table();
    let file = nodes.enter(Ino::ROOT, &name("x"), known(Kind::File)).expect("root is known");
    let dir = nodes.enter(Ino::ROOT, &name("x"), known(Kind::Dir)).expect("root is known");
    assert_ne!(file, dir);
    assert_eq!(nodes.path(file), None, "its name belongs to another one now");
    assert_eq!(nodes.path(dir).expect("known").as_bytes(), b"/home/u/x");
    nodes.forget(file, 1);
    assert_eq!(nodes.path(dir).expect("still there").as_bytes(), b"/home/u/x");
}

#[test]
fn paths_follow_the_parents() {
    let nodes = table();
    let d = nodes.enter(Ino::ROOT, &name("d"), known(Kind::Dir)).expect("root is known");
    let f = nodes.enter(d, &name("f g"), known(Kind::File)).expect("d is known");
    assert_eq!(nodes.path(f).expect("known").as_bytes(), b"/home/u/d/f g");
    assert_eq!(nodes.path(Ino::ROOT).expect("known").as_bytes(), b"/home/u");
    assert_eq!(nodes.parent(f), d);
    assert_eq!(nodes.parent(Ino::ROOT), Ino::ROOT);
    assert_eq!(nodes.enter(Ino(99), &name("z"), known(Kind::File)), None);
}

#[test]
fn older_knowledge_does_not_replace_newer() {
    let nodes = table();
    let old = known(Kind::File);
    let mut new = known(Kind::File);
    new.meta.size = Some(2);
    new.since = old.since + std::time::Duration::from_secs(1);
    let ino = nodes.enter(Ino::ROOT, &name("a"), new).expect("root is known");
    assert!(nodes.update(ino, old));
    assert_eq!(nodes.known(ino).expect("known").meta.size, Some(2));
}

#[test]
fn blocks_belong_to_one_version() {
    let nodes = table();
    let blocks = crate::store::Blocks::new(0);
    let ino = nodes.enter(Ino::ROOT, &name("a"), known(Kind::File)).expect("root is known");
    let version = |size| Version { size, mtime: None, unique: None };
    let (first, same) = nodes.bind(ino, &version(1), || blocks.new_file()).expect("known");
    assert!(!same);
    assert_eq!(nodes.bind(ino, &version(1), || blocks.new_file()), Some((first, true)));
    let (second, same) = nodes.bind(ino, &version(2), || blocks.new_file()).expect("known");
    assert!(!same && second != first);
    assert!(nodes.is_bound(ino, second) && !nodes.is_bound(ino, first));
}

fn time(secs: i64) -> Version {
    Version { size: 1, mtime: Some(Stamp::exact(secs)), unique: None }
}

#[test]
fn a_file_without_a_name_lives_on_until_it_is_forgotten() {
    let nodes = table();
    let file = nodes.enter(Ino::ROOT, &name("a"), known(Kind::File)).expect("root is known");
    assert_eq!(nodes.unlink(Ino::ROOT, &name("a")), Some(file));
    assert!(nodes.is_unlinked(file) && nodes.known(file).is_some());
    assert_eq!((nodes.path(file), nodes.place(file), nodes.find(Ino::ROOT, &name("a"))), (None, None, None));
    let again = nodes.make(Ino::ROOT, &name("a"), known(Kind::File)).expect("root is known");
    assert_ne!(again, file);
    nodes.forget(file, 1);
    assert!(nodes.known(file).is_none());
    assert_eq!(nodes.path(again).expect("not touched by it").as_bytes(), b"/home/u/a");
}

#[test]
fn what_is_made_is_another_inode_than_what_was_there() {
    let nodes = table();
    let old = nodes.enter(Ino::ROOT, &name("a"), known(Kind::File)).expect("root is known");
    let new = nodes.make(Ino::ROOT, &name("a"), known(Kind::File)).expect("root is known");
    assert!(old != new && nodes.is_unlinked(old) && !nodes.is_unlinked(new));
    assert_eq!(nodes.make(Ino(99), &name("z"), known(Kind::File)), None);
}

#[test]
fn a_renamed_directory_takes_along_what_is_below() {
    let nodes = table();
    let d = nodes.enter(Ino::ROOT, &name("d"), known(Kind::Dir)).expect("root is known");
    let e = nodes.enter(Ino::ROOT, &name("e"), known(Kind::Dir)).expect("root is known");
    let f = nodes.enter(d, &name("f"), known(Kind::File)).expect("d is known");
    let hidden = nodes.enter(d, &name("h"), known(Kind::File)).expect("d is known");
    let beside = nodes.enter(Ino::ROOT, &name("b"), known(Kind::File)).expect("root is known");
    nodes.hide(hidden, RemotePath::new(b"/home/u/d/.gone").expect("valid"));
    nodes.hide(beside, RemotePath::new(b"/home/u/d.gone").expect("valid"));
    assert_eq!(nodes.rename(Ino::ROOT, &name("d"), e, &name("x")), None);
    assert_eq!(nodes.path(f).expect("known").as_bytes(), b"/home/u/e/x/f");
    assert_eq!(nodes.path(hidden).expect("known").as_bytes(), b"/home/u/e/x/.gone");
    assert_eq!(nodes.path(beside).expect("known").as_bytes(), b"/home/u/d.gone");
    assert!(nodes.is_unlinked(hidden) && nodes.place(hidden).is_none());
    nodes.forget(hidden, 1);
    assert_eq!(nodes.hidden().len(), 2, "it is still to be removed from the server");
    assert_eq!(nodes.unhide(hidden).expect("known").as_bytes(), b"/home/u/e/x/.gone");
}

#[test]
fn what_was_there_loses_its_name_to_what_is_renamed() {
    let nodes = table();
    let a = nodes.enter(Ino::ROOT, &name("a"), known(Kind::File)).expect("root is known");
    let b = nodes.enter(Ino::ROOT, &name("b"), known(Kind::File)).expect("root is known");
    assert_eq!(nodes.rename(Ino::ROOT, &name("a"), Ino::ROOT, &name("b")), Some(b));
    assert_eq!(nodes.path(a).expect("known").as_bytes(), b"/home/u/b");
    assert!(nodes.is_unlinked(b) && nodes.find(Ino::ROOT, &name("a")).is_none());
    nodes.forget(b, 1);
    assert_eq!(nodes.find(Ino::ROOT, &name("b")), Some(a));
    // What the kernel does not know can be renamed as well.
    assert_eq!(nodes.rename(Ino::ROOT, &name("nobody"), Ino::ROOT, &name("b")), Some(a));
    assert_eq!(nodes.find(Ino::ROOT, &name("b")), None);
}

#[test]
fn a_time_that_we_have_set_is_no_new_content() {
    let nodes = table();
    let blocks = crate::store::Blocks::new(0);
    let ino = nodes.enter(Ino::ROOT, &name("a"), known(Kind::File)).expect("root is known");
    let (file, _) = nodes.bind(ino, &time(1), || blocks.new_file()).expect("known");
    nodes.retime(ino, Stamp::exact(5));
    assert!(nodes.is_version(ino, file, &time(1)) && nodes.is_version(ino, file, &time(5)));
    assert!(!nodes.is_version(ino, file, &time(6)));
    assert_eq!(nodes.bind(ino, &time(5), || blocks.new_file()), Some((file, true)));
    for secs in 10..30 {
        nodes.retime(ino, Stamp::exact(secs));
    }
    assert!(nodes.is_version(ino, file, &time(29)) && !nodes.is_version(ino, file, &time(5)));
}

#[test]
fn a_reader_does_not_lose_its_file_by_a_time_that_we_have_set() {
    let nodes = table();
    let blocks = crate::store::Blocks::new(0);
    let ino = nodes.enter(Ino::ROOT, &name("a"), known(Kind::File)).expect("root is known");
    nodes.bind(ino, &time(1), || blocks.new_file()).expect("known");
    nodes.opened(ino);
    assert!(nodes.is_open(ino));
    nodes.retime(ino, Stamp::exact(5));
    let mut now = known(Kind::File);
    now.meta.mtime = Some(Stamp::exact(5));
    assert!(nodes.update(ino, now));
    nodes.closed(ino);
    assert!(!nodes.is_open(ino));
}
