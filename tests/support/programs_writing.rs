//! Everyday programs that write: what the server holds afterwards is what the same commands make of a plain directory.
//!
//! Each function is one theme, written once for all places. After every [`Bench::does`] the disk of the server is
//! compared with the twin, at once.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;

use super::bench::{Bench, shell};
use super::lab::Software;
use super::process::{PROGRAM_LIMIT, command, stdout_of};
use super::tree::{self, set_mtime};
use super::twin;

/// `cp` in its ways, of files around every limit; `install`.
pub fn copying(bench: &mut Bench) {
    material(&bench.material().join("tree"));
    bench.does("cp -a $M/tree new");
    bench.does("cp -r $M/tree again");
    // Onto what is there.
    bench.does("chmod u+w again/4095; cp -a $M/tree/. again");
    // What takes the place of a file makes its directory younger, where a plain one is written in place.
    bench.does("cp new/131073 again/1; touch again");
    bench.does("cp --preserve=timestamps new/4097 new/1; touch new");
    // Out of the place into itself.
    bench.does("cp -r new within");
    bench.does("install -m 750 new/docs/notes installed; install -D -m 600 new/1 made/on/the/way");
    bench.does("cat new/131073 new/4097 > both; cp both new; cat < both > new/1");
    bench.does("cp /dev/null new/4097; cp /dev/null empty");
}

/// `mv` of files and directories, over others, in and out of the place.
pub fn moving(bench: &mut Bench) {
    material(&bench.material().join("tree"));
    bench.does("cp -a $M/tree a; cp -a $M/tree b; mkdir dir");
    bench.does("mv a/1 a/one");
    bench.does("mv a/one dir");
    bench.does("mv a/4097 a/131073");
    bench.does("mv a/docs dir/documents; ls dir/documents; cat dir/documents/notes");
    bench.does("mv dir/documents a; mv a/documents a/docs; cat a/docs/notes");
    // Onto an empty directory; -n leaves what is there.
    bench.does("mkdir empty; mv -T a/docs empty; mv -n b/1 b/4096");
    bench.does("mv -f b/1 empty/notes; mv empty full; mv b full/b; mv full/b/4096 .");
    // From one filesystem to another and back: by copy and removal.
    bench.does("mv full $M/out.$$; ls $M/out.$$; mv $M/out.$$ back");
    // Written, and moved before anybody else looks.
    bench.does("for i in 1 2 3 4 5; do echo $i > new; mv new newest; done; cat newest");
    bench.does("echo x > x; echo y > y; mv x swap; mv y x; mv swap y; cat x y");
}

/// `rm`, `rmdir`, and what is removed while open.
pub fn removing(bench: &mut Bench) {
    material(&bench.material().join("tree"));
    bench.does("cp -a $M/tree a; cp -a $M/tree b; cp -a $M/tree c");
    bench.does("rm a/1 a/4096");
    bench.does("rm -r a");
    bench.does("rm -rf b/docs b/no-such; rm -f no-such");
    bench.does("mkdir -p d/e/f; rmdir -p d/e/f; find c -type f -delete; find c -depth -type d -empty -delete");
    // A file that is gone stays for who has it open, and can come back under its name.
    bench.does("exec 3<>b/4097; rm b/4097; echo more >&3; wc -c < /proc/self/fd/3; echo new > b/4097; exec 3>&-; ls b");
    bench.does("exec 3>b/gone; echo a line >&3; rm b/gone; exec 3>&-; rm -r b");
}

/// `mkdir -p`, `touch`, `touch -d`, `chmod`.
pub fn attributes(bench: &mut Bench) {
    bench.does("mkdir -p deep/er/still; mkdir -p deep/er/still deep/other; mkdir -m 700 private");
    bench.does("touch file; touch -d '2001-02-03 04:05:06 UTC' file; stat -c '%n %s %Y' file");
    bench.does("touch -d '2011-12-13 14:15:16 UTC' deep/new; stat -c %Y deep/new; touch -r deep/new file deep/er/x");
    bench.does("echo text > deep/new; touch -d @1000000000 deep/new; cat deep/new; stat -c %Y deep/new");
    bench.does("touch -m -d @1100000001 file; touch -a -d @1 file; touch -c no-such; stat -c %Y file");
    bench.does("chmod 600 file; chmod 755 deep/new; chmod -R go-w deep; chmod u-w file; stat -c '%a %n' file deep/new");
    bench.does(
        "chmod u+w,go+r file; echo more >> file; chmod 644 file; touch -d @1200000002 file; stat -c '%a %Y' file",
    );
    // Times written with the file open, then more of the file: the time is that of the last write.
    bench.does("exec 3>late; echo early >&3; touch -d @900000000 late; echo later >&3; exec 3>&-; cat late");
    if bench.software().is_none_or(|s| matches!(s, Software::ProFtpd | Software::PureFtpd)) {
        bench.does("mkdir old; touch -d @1300000003 old; stat -c %Y old");
    }
}

/// Parts of files: `>>`, `truncate`, `dd conv=notrunc`, holes, a file read and written at once.
pub fn parts(bench: &mut Bench) {
    tree::file(&bench.material().join("old"), 300_001);
    bench.does("cp $M/old file; for i in 1 2 3 4 5 6 7 8; do echo line $i >> log; done; cat log");
    bench.does("for ((n = 0; n < 200; n++)); do echo line $n >> log; done");
    bench.does("echo end >> file; tail -c 4 file; cat $M/old >> file");
    bench.does(
        "truncate -s 100 file; truncate -s 70000 file; truncate -s +5 file; truncate -s 0 log; truncate -s 0 none",
    );
    bench.does("truncate -s 400000 sparse; truncate -s -1 sparse; stat -c %s sparse");
    bench.does("dd if=$M/old of=file bs=1000 seek=31 count=7 conv=notrunc status=none; cksum file");
    bench.does("dd if=$M/old of=file bs=4096 seek=100 conv=notrunc status=none; cksum file");
    bench.does("dd if=$M/old of=file bs=1 count=1 conv=notrunc status=none");
    bench.does(
        "dd if=$M/old of=hole bs=65536 seek=20 count=1 status=none; dd if=$M/old of=hole bs=99 seek=3 status=none",
    );
    bench.does("cp $M/old file; dd if=$M/old of=file oflag=append conv=notrunc bs=70000 status=none; cksum file");
    bench.does("exec 4<>file; head -c 5000 <&4 | cksum; printf middle >&4; exec 4>&-; cksum file");
    bench.does("dd if=file of=file bs=1000 skip=2 seek=50 count=40 conv=notrunc status=none; cksum file");
    bench.does("tee one two < $M/old > three; tee -a one two < $M/old > /dev/null; cksum one two three");
    bench.does(
        "fallocate -l 5000 log 2>/dev/null || truncate -s 5000 log; dd if=$M/old of=f bs=512 conv=fsync status=none",
    );
    bench.does("sync f; sort -o one <(seq 2000 | sort -R --random-source=$M/old); sort -n -o one one; head -n 2 one");
}

/// `sed -i`, `ex`, `patch`: a new file beside the old one, or the old one again.
pub fn editing(bench: &mut Bench) {
    let text: String = (0..3000).fold(String::new(), |mut text, n| {
        writeln!(text, "line {n} of a text").expect("memory");
        text
    });
    fs::write(bench.material().join("text"), text).expect("a new file");
    bench.does("cp $M/text text; cp $M/text other; chmod 640 other; mkdir sub; cp $M/text sub/text");
    bench.does("sed -i 's/line 7 /seventh line /' text; sed -n 8p text");
    bench.does("sed -i.bak -e '10,2000d' other sub/text; wc -l < other; ls sub");
    bench.does("perl -pi -e 's/line/row/' sub/text; head -n 1 sub/text");
    // With a swap file beside it, a backup, and the old file renamed, copied or written over.
    for way in ["auto", "yes", "no"] {
        bench.does(&format!(
            "ex -s -u NONE -i NONE -c 'set backupcopy={way} backup writebackup directory=.' -c '2,5d' \
             -c 'g/1 of/s/text/file: {way}/' -c 'wq' text; head -n 3 text"
        ));
    }
    bench.does("printf '%s\\n' '1i' 'first' '.' 'w' 'r !echo last' 'wq' | ex -s -u NONE -i NONE new 2>&1; cat new");
    bench.does(
        "cp text text.new; echo more >> text.new; diff -u text text.new > p || true; touch -d @1 p text.new; rm p",
    );
}

/// `tar x`, `tar c`, `unzip`, `zip`.
pub fn archives(bench: &mut Bench) {
    material(&bench.material().join("tree"));
    let material = bench.material();
    shell(&material, &material, "tar -czf tree.tgz tree; zip -qr tree.zip tree");
    bench.does("tar -xzf $M/tree.tgz");
    bench.does("mv tree before; tar -xzf $M/tree.tgz; tar -xzf $M/tree.tgz; diff -r before tree");
    bench.does("mkdir zip; cd zip; unzip -q $M/tree.zip; unzip -qo $M/tree.zip; diff -r tree ../tree");
    bench.does(
        "tar -C $M -cf made.tar tree; tar -tf made.tar | sort; tar -rf made.tar -C $M tree.zip; tar -df made.tar -C $M",
    );
    bench.does(
        "mkdir gz; gzip -k < $M/tree.zip > gz/a.gz; gzip -dc gz/a.gz | cmp - $M/tree.zip; cp $M/tree.zip b; gzip -n b",
    );
    // Not byte by byte: a zip holds the times of access.
    bench.except(&["made.zip"]);
    bench.does("cp -a tree t; (cd t && zip -qr ../made.zip .); unzip -tqq made.zip");
    bench.does("zip -qd made.zip 4097; unzip -tqq made.zip");
}

/// The life of a repository.
pub fn git(bench: &mut Bench) {
    material(&bench.material().join("tree"));
    let settings = "[user]\nname=A\nemail=a@example.org\n[safe]\ndirectory=*\n[init]\ndefaultBranch=main\n\
                    [pack]\nthreads=1\n[gc]\nauto=0\n[advice]\ndetachedHead=false\n";
    fs::write(bench.material().join(".gitconfig"), settings).expect("a new file");
    // What holds inode numbers, paths, or whether the place has links.
    bench.except(&[".git/index", "/config", "/logs", "FETCH_HEAD"]);
    const TIME: &str = "export GIT_AUTHOR_DATE='@1500000000 +0000' GIT_COMMITTER_DATE='@1500000000 +0000';";
    let git = |dir: &str, script: &str| bench.does(&format!("{TIME} cd {dir}; {script}"));
    git(".", "git init -q repo; git -C repo config core.filemode; cp -a $M/tree repo");
    git("repo", "git status --short; git add .; git status --short; git commit -qm first; git ls-files -s");
    git(
        "repo",
        "echo more >> tree/docs/notes; rm tree/1; git add -A; git commit -qm second; git log --stat --format=%H",
    );
    git("repo", "git checkout -qb side HEAD~; echo s > side; git add side; git commit -qm side; git checkout -q main");
    git("repo", "git merge -q --no-edit side; git tag -a v1 -m v1; git status --short; git diff v1~");
    git("repo", "git fsck --strict 2>&1");
    // There are no hard links by FTP: a copy has another mode.
    git(".", "git clone -q --no-hardlinks repo clone; git clone -q --no-hardlinks --bare repo bare.git");
    git("clone", "git status --short; git log --format=%H; git fsck 2>&1");
    git("clone", "echo c > c; git add c; git commit -qm c; git push -q ../bare.git main");
    git("repo", "git pull -q ../bare.git main; git stash list; git mv side other; git commit -qam moved");
    git("repo", "git gc -q; git fsck 2>&1; git log --format=%H");
    git("bare.git", "git gc -q --prune=now; git fsck --full 2>&1; git count-objects -v | grep -v size");
    git("clone", "git reset -q --hard HEAD~; git status --short; git clean -qfd");
    git("repo", "rm -r tree; git status --short; git checkout -q .; git status --short");
    // What lies on the server is a repository by itself.
    let disk = bench.disk().to_owned();
    for repository in ["repo", "clone", "bare.git"] {
        shell(&disk.join(repository), &bench.material(), "git fsck --full --strict 2>&1");
    }
}

/// A database with its rollback journal.
pub fn sqlite(bench: &mut Bench) {
    let fill = "create table t(n integer primary key, s text); create index i on t(s); \
                with recursive c(n) as (select 1 union all select n+1 from c where n<3000) \
                insert into t select n, printf('row %d of a table', n*7919%3001) from c;";
    bench.does(&format!("sqlite3 a.db \"{fill}\"; sqlite3 a.db 'select count(*), sum(length(s)) from t'"));
    bench.does(
        "sqlite3 a.db \"update t set s='changed' where n%9=0; delete from t where n%5=0; pragma integrity_check;\"",
    );
    // A journal that stays has random numbers in it.
    bench.except(&["a.db-journal"]);
    // More than fits in its memory, so that the database is written before the end; then none of it.
    bench.does(
        "sqlite3 a.db \"pragma cache_size=5; begin; update t set s=s||s||s||s; rollback; pragma integrity_check;\"",
    );
    for mode in ["truncate", "persist", "delete"] {
        bench.does(&format!(
            "sqlite3 a.db \"pragma journal_mode={mode}; begin; insert into t(s) values('{mode}'); \
             savepoint s; delete from t where n<900; rollback to s; commit; select count(*) from t;\""
        ));
    }
    bench.does("sqlite3 a.db 'drop index i; vacuum; pragma integrity_check'; sqlite3 a.db .dump | cksum");
    bench.does("for i in 1 2 3 4 5 6 7 8 9; do sqlite3 a.db \"insert into t(s) values($i)\"; done");
    bench.does("sqlite3 a.db '.backup b.db'; sqlite3 b.db 'pragma integrity_check'");
    // Many writers at once take turns.
    let inserts = "for i in 1 2 3 4; do (for j in 1 2 3 4 5; do \
                   sqlite3 -cmd '.timeout 60000' b.db 'insert into t(s) values(99)'; done) & done; wait;";
    bench.does(&format!("{inserts} sqlite3 b.db 'pragma integrity_check; select count(*) from t where s=99'"));
}

/// `rsync` in its ways.
pub fn rsync(bench: &mut Bench) {
    material(&bench.material().join("tree"));
    let source = bench.material().join("tree");
    bench.does("rsync -a $M/tree/ all/; rsync -aOi $M/tree/ all/");
    bench.does("rsync -a --inplace $M/tree/ inplace/; rsync -r $M/tree/ plain/; rsync -a --whole-file all/ within/");
    let change = |name: &str, script: &str| {
        shell(&source, &bench.material(), script);
        set_mtime(&source.join(name), 1_234_000_000 + script.len() as u64);
    };
    change("131073", "dd if=docs/notes of=131073 bs=512 seek=9 count=2 conv=notrunc status=none");
    change("4097", "head -c 90000 131073 >> 4097");
    // What takes the place of a file makes its directory younger, where a plain one is written in place.
    bench.does(
        "rsync -aOi $M/tree/ all/ | sort; rsync -aOi --inplace --no-whole-file $M/tree/ inplace/ | sort; touch inplace",
    );
    bench.does("rsync -aOi --no-whole-file --checksum $M/tree/ within/ | sort");
    change("docs/notes", "seq 9000 >> docs/notes");
    bench.does("rsync -aOi --append $M/tree/docs/ all/docs/; rsync -a --append-verify $M/tree/docs/ within/docs/");
    bench.does("rsync -a $M/tree/ within/");
    // vsftpd and pyftpdlib cannot keep a directory's time.
    bench.does("rsync -aO $M/tree/ all/; touch all/extra; mkdir -p all/more/and/more");
    bench.does("rsync -aO --delete $M/tree/ all/; find all | sort");
    bench.does("rm -f $M/tree/1; rsync -aO --delete --backup --suffix=.old $M/tree/ all/; find all | sort");
    bench.does("rsync -aO --partial --delay-updates --delete-after $M/tree/ later/");
    bench.does("rsync -aO --remove-source-files later/ moved/");
    // Home again.
    bench.does("rsync -a all/ $M/home.$$/; diff -r all $M/home.$$; rm -r $M/home.$$");
}

/// A backup: its repository is sound on the mount and on the server's disk, and gives back what went in.
pub fn restic(bench: &mut Bench) {
    material(&bench.material().join("tree"));
    tree::file(&bench.material().join("tree/large"), 24 << 20);
    const SETTINGS: &str = "export RESTIC_PASSWORD=secret RESTIC_REPOSITORY=repository TMPDIR=$M;";
    let restic = |words: &str| bench.says(&format!("{SETTINGS} restic --no-cache -q {words} 2>&1"));
    restic("init");
    restic("backup $M/tree");
    shell(
        &bench.material(),
        &bench.material(),
        "seq 99999 > tree/new; dd if=/dev/zero of=tree/large bs=1M count=2 seek=9 conv=notrunc status=none",
    );
    restic("backup $M/tree");
    restic("check --read-data");
    restic("forget --keep-last 1 --prune");
    restic("check --read-data");
    restic("restore latest --target $M/back");
    let material = bench.material();
    let onto_itself = format!("diff -r tree back{}/tree", material.display());
    shell(&material, &material, &onto_itself);
    // The repository as the server holds it.
    let disk = bench.disk().to_owned();
    let restic = format!("{SETTINGS} restic --no-cache -q --no-lock");
    shell(
        &disk,
        &material,
        &format!("{restic} check --read-data 2>&1; {restic} restore latest --target $M/from-disk 2>&1"),
    );
    shell(&material, &material, &onto_itself.replace("back", "from-disk"));
    // Nothing of all that has a twin.
    bench.does("rm -rf repository");
}

/// `rsync -a` of a thousand files, again, and after ten of them have changed.
pub fn a_thousand_files(bench: &mut Bench) {
    const COUNT: usize = 1000;
    let source = bench.material().join("many");
    for n in 0..COUNT {
        let dir = source.join(format!("{:02}", n % 20));
        fs::create_dir_all(&dir).expect("a new directory");
        let path = dir.join(format!("file {n}"));
        fs::write(&path, format!("{n}\n").repeat(n % 77)).expect("a new file");
        set_mtime(&path, 1_100_000_000 + 86_401 * n as u64);
    }
    // Directories' times cannot be set everywhere: without -O their lines would tell of that.
    let transfer = || {
        let out = bench.says("rsync -aO -i $M/many/ many/");
        shell(&bench.twin(), &bench.material(), "rsync -aO $M/many/ many/");
        bench.holds("rsync");
        let (files, others): (Vec<_>, Vec<_>) = out.lines().map(str::to_owned).partition(|line| line.starts_with(">f"));
        (files, others)
    };
    let (sent, _) = transfer();
    assert_eq!(sent.len(), COUNT);
    let (sent, touched) = transfer();
    assert!(sent.is_empty() && touched.is_empty(), "the second time: {sent:?} {touched:?}");
    let changed: Vec<usize> = (0..10).map(|n| n * 97 + 5).collect();
    for &n in &changed {
        let path = source.join(format!("{:02}/file {n}", n % 20));
        fs::write(&path, format!("now {n}")).expect("it can be written");
        set_mtime(&path, 1_700_000_000 + n as u64);
    }
    let (mut sent, touched) = transfer();
    sent.sort();
    let mut wanted: Vec<String> = changed.iter().map(|n| format!(" {:02}/file {n}", n % 20)).collect();
    wanted.sort();
    let names = |lines: &[String]| {
        let mut names: Vec<String> =
            lines.iter().map(|line| line[line.find(' ').expect("a name")..].to_owned()).collect();
        names.sort();
        names
    };
    assert!(names(&sent) == wanted && touched.is_empty(), "{sent:?} {touched:?}");
    let (sent, touched) = transfer();
    assert!(sent.is_empty() && touched.is_empty(), "the last time: {sent:?} {touched:?}");
}

/// Symbolic links, where the place has them: by `ln`, `cp`, `tar`, `rsync` and git.
pub fn links(bench: &mut Bench) {
    material(&bench.material().join("tree"));
    let tree = bench.material().join("tree");
    let targets = [("to-file", "4097"), ("to-dir", "docs"), ("dangling", "no/such"), ("docs/up", "../1")];
    for (name, target) in targets {
        std::os::unix::fs::symlink(target, tree.join(name)).expect("a new link");
    }
    shell(&bench.material(), &bench.material(), "tar -cf tree.tar tree");
    bench.does("ln -s target link; readlink link; stat -c %F link; echo text > target; cat link; echo more >> link");
    bench
        .does("ln -sf other link; readlink link; ln -s $(printf 'n%.0s' {1..200})/x long; readlink long; rm link long");
    bench.does("cp -a $M/tree .; cat tree/to-file | cksum; ls tree/to-dir; ls -l tree/docs/up | sed 's/.*up/up/'");
    bench.does("mkdir tar; tar -C tar -xf $M/tree.tar; rsync -a $M/tree/ rs/; rsync -aOJi $M/tree/ rs/");
    bench.does("mv tree/to-file tree/moved; readlink tree/moved; cp -L tree/moved copy");
    bench.does("rm -r tar/tree/to-dir; ls tar/tree/docs");
    bench.does("find . -type l | sort; cp -a tree again; rm -r tree");
    digests(bench.disk());
    fs::write(bench.material().join(".gitconfig"), "[user]\nname=A\nemail=a@example.org\n").expect("a new file");
    bench.except(&["repo/.git"]);
    bench.does(
        "export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'; \
                git init -q repo; cd repo; ln -s target link; git add link; git commit -qm links; git status --short; \
                rm link; git checkout -q link; readlink link; git ls-files -s; git config --default true core.symlinks",
    );
}

/// Asserts that links which the server holds as files bear the MD5 of their targets: SMB clients check it.
fn digests(disk: &Path) {
    for path in tree::paths(disk).iter().map(|path| disk.join(path)).filter(|path| !path.is_symlink() && path.is_file())
    {
        let held = fs::read(&path).expect("it is there");
        let Some(target) = twin::target_in_file(&held) else { continue };
        fs::write(disk.with_extension("target"), target).expect("the folder is ours");
        let sum = stdout_of(command("md5sum", ["-b"]).arg(disk.with_extension("target")), PROGRAM_LIMIT);
        assert_eq!(held.get(10..42), sum.get(..32), "{}", path.display());
    }
}

/// Files larger than every buffer, alone and eight at once.
pub fn large(bench: &mut Bench) {
    tree::file(&bench.material().join("large"), 96 << 20);
    tree::file(&bench.material().join("other"), (11 << 20) + 5);
    bench.does("cp $M/large .");
    bench.does("cp $M/other large; cp large larger; cat $M/large >> larger");
    bench.does("for i in 1 2 3 4 5 6 7 8; do cp $M/other parallel$i & done; wait; cksum parallel*");
    bench.does("rm parallel*; for i in 1 2 3; do dd if=$M/other of=dd$i bs=100k status=none & done; wait");
    bench.does("dd if=/dev/zero of=larger bs=1M seek=40 count=1 conv=notrunc status=none; cksum larger");
}

/// Names that other clients trip over, made by programs; each file holds its name.
pub fn odd_names(bench: &mut Bench) {
    // Pure-FTPd stores other names than it is told here, or refuses them.
    let kept = |name: &&&str| bench.software() != Some(Software::PureFtpd) || !name.ends_with(' ');
    let names: Vec<&str> = tree::ODD_NAMES.iter().filter(kept).copied().collect();
    for dir in [bench.dir().to_owned(), bench.twin()] {
        tree::named(&dir, &names);
    }
    bench.holds("writing under odd names");
    for dir in [bench.dir().to_owned(), bench.twin()] {
        for name in &names {
            let (from, to) = (dir.join(name), dir.join(format!("{}\u{e9}[1]", name.trim_end())));
            fs::rename(&from, &to).unwrap_or_else(|e| panic!("{name:?}: {e}"));
        }
    }
    bench.holds("renaming odd names");
    bench.does("mkdir sub; mv -- *'[1]' sub; ls -A sub | sort; rm -r sub");
}

/// Programs of all kinds at once, each in a directory of its own.
pub fn side_by_side(bench: &mut Bench) {
    material(&bench.material().join("tree"));
    let jobs = [
        "cp -a $M/tree cp; rm -r cp/docs; mv cp copied",
        "mkdir rs; rsync -a $M/tree/ rs/; rsync -a --delete $M/tree/docs/ rs/",
        "tar -C $M -c tree | (mkdir tar; cd tar; tar x); sed -i s/note/rest/ tar/tree/docs/notes",
        "mkdir db; sqlite3 db/a 'create table t(n); insert into t values(1)'; sqlite3 db/a 'insert into t values(2)'",
        "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do echo $i >> log; cp log log.$i; done",
    ];
    let (dir, twin, material) = (bench.dir().to_owned(), bench.twin(), bench.material());
    thread::scope(|scope| {
        for (n, job) in jobs.iter().enumerate() {
            for dir in [&dir, &twin] {
                let (own, material) = (dir.join(format!("job {n}")), &material);
                scope.spawn(move || {
                    fs::create_dir(&own).expect("a new directory");
                    shell(&own, material, job);
                });
            }
        }
    });
    bench.holds("programs side by side");
}

/// Fills `dir` with a tree for programs to carry: sizes around every limit, modes, old times.
fn material(dir: &Path) {
    fs::create_dir_all(dir.join("docs/deep/er")).expect("a new tree");
    fs::create_dir(dir.join("empty")).expect("a new directory");
    for size in tree::EDGE_SIZES {
        tree::file(&dir.join(size.to_string()), size);
    }
    let notes: String = (0..4000).map(|n| format!("note {n}\n")).collect();
    fs::write(dir.join("docs/notes"), notes).expect("a new file");
    fs::write(dir.join("docs/deep/er/run.sh"), "#!/bin/sh\n").expect("a new file");
    fs::write(dir.join("docs/a b's"), "blanks").expect("a new file");
    for (name, mode) in [("docs/deep/er/run.sh", 0o755), ("docs/a b's", 0o600), ("4095", 0o444)] {
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode)).expect("the file is ours");
    }
    // From the leaves up: making an entry changes its directory's time.
    let mut paths = tree::paths(dir);
    paths.sort_by_key(|path| std::cmp::Reverse(path.len()));
    for (n, path) in paths.iter().enumerate() {
        set_mtime(&dir.join(path), 1_000_000_001 + 864_007 * n as u64);
    }
    set_mtime(dir, 1_444_444_444);
}
