//! Pure-FTPd's arguments.

use super::Tls;
use super::plan::{LabUser, Plan, USER, in_text};
use crate::support::process::{self, PROGRAM_LIMIT, stdout_of};

pub(super) fn command(plan: &Plan<'_>) -> Vec<String> {
    let LabUser { uid, gid, .. } = plan.user;
    let (served, folder) = (in_text(&plan.served()), in_text(plan.folder));
    let line = format!("{USER}:{}:{uid}:{gid}::{served}/./::::::::::::\n", plan.hash());
    let users = plan.write("pureftpd.passwd", &line);
    let database = format!("{folder}/pureftpd.pdb");
    let pure_pw = plan.program("usr/bin/pure-pw");
    stdout_of(&mut process::command(&pure_pw, ["mkdb", &database, "-f", &users]), PROGRAM_LIMIT);
    let clients = if plan.options.max_clients == 0 { 5000 } else { plan.options.max_clients };
    let (umask, (low, high)) = (plan.options.umask, plan.ports.passive());
    // -A chroot, -E no anonymous users, -H no DNS, -u 1 lowest uid, -L listings of more than 10,000 names.
    let text = format!(
        "-S {addr},{port} {family} -A -E -H -l puredb:{database} -u 1 -U {umask:o}:{umask:o} -p {low}:{high} \
         -c {clients} -C {clients} -I {minutes} -L 10000000:1000 -g {folder}/pure-ftpd.pid{more}",
        addr = plan.options.addr,
        port = plan.ports.control(),
        family = if plan.options.addr.is_ipv6() { "-6" } else { "-4" },
        minutes = plan.idle().div_ceil(60),
        more = more(plan),
    );
    let program = plan.program("usr/sbin/pure-ftpd");
    std::iter::once(program).chain(text.split_ascii_whitespace().map(str::to_owned)).collect()
}

fn more(plan: &Plan<'_>) -> String {
    let options = plan.options;
    assert!(!options.client_certificate, "Pure-FTPd asks no client for a certificate");
    assert!(!options.session_reuse, "Pure-FTPd asks for no session to be resumed");
    let allows = options.allows;
    assert!(allows.writing && allows.overwriting && allows.appending && allows.times, "Pure-FTPd cannot forbid that");
    assert!(!allows.site_commands, "Pure-FTPd has no more SITE commands");
    let mut text = options.masquerade.map(|address| format!(" -P {address}")).unwrap_or_default();
    if !options.passive {
        text += " -N";
    }
    if allows.foreign_data {
        text += " -w";
    }
    if !allows.modes {
        text += " -R";
    }
    if let Some(files) = plan.certificate() {
        // 3 asks for encrypted data connections, too.
        let mode = match options.tls {
            Tls::Off | Tls::Offered => 1,
            Tls::Required => 3,
            Tls::Implicit => panic!("Pure-FTPd has no implicit TLS"),
        };
        text += &format!(" -Y {mode} -2 {}", in_text(&files.both));
    }
    text
}
