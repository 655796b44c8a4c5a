//! What `pyftpd.py` is told.

use super::Tls;
use super::plan::{Plan, USER, in_text};
use crate::support::tls::Versions;

pub(super) fn command(plan: &Plan<'_>) -> Vec<String> {
    let (low, high) = plan.ports.passive();
    let text = format!(
        "addr={}\nport={}\nlow={low}\nhigh={high}\nserved={}\nuid={}\ngid={}\nidle={}\nclients={}\numask={}\n\
         user={USER}\npassword={}\n",
        plan.options.addr,
        plan.ports.control(),
        in_text(&plan.served()),
        plan.user.uid,
        plan.user.gid,
        plan.idle(),
        plan.options.max_clients,
        plan.options.umask,
        plan.user.password,
    );
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/pyftpd.py").to_owned();
    vec![plan.program("py/bin/python"), script, plan.write("pyftpd.conf", &(text + &more(plan)))]
}

fn more(plan: &Plan<'_>) -> String {
    let options = plan.options;
    assert!(!options.session_reuse, "pyftpdlib asks for no session to be resumed");
    assert!(options.tls != Tls::Implicit, "pyftpdlib has no implicit TLS");
    let allows = options.allows;
    assert!(allows.overwriting && !allows.site_commands, "pyftpdlib has no settings for that");
    // e: CWD, l: LIST, r: RETR, a: APPE, d: DELE and RMD, f: RNFR, m: MKD, w: STOR, M: SITE CHMOD, T: MFMT.
    let mut may = String::from("elr");
    for (letters, allowed) in [("dfmw", true), ("a", allows.appending), ("M", allows.modes), ("T", allows.times)] {
        may += if allowed && allows.writing { letters } else { "" };
    }
    let mut text = format!("may={may}\n");
    if options.zone.is_some() {
        text += "times=local\n";
    }
    if allows.foreign_data {
        text += "foreign=yes\n";
    }
    if !options.passive {
        text += "passive=no\n";
    }
    if let Some(address) = options.masquerade {
        text += &format!("masquerade={address}\n");
    }
    if let Some(files) = plan.certificate() {
        let versions = match options.versions {
            Versions::Both => "",
            Versions::Only12 => "1.2",
            Versions::Only13 => "1.3",
        };
        let tls = if options.tls == Tls::Required { "required" } else { "offered" };
        text += &format!("tls={tls}\ncertificate={}\nversions={versions}\n", in_text(&files.both));
        text += &plan.client_ca().map(|ca| format!("client_ca={ca}\n")).unwrap_or_default();
    }
    text
}
