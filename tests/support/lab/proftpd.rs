//! ProFTPD's configuration.

use super::Tls;
use super::plan::{LabUser, Plan, USER, in_text};
use crate::support::tls::Versions;

pub(super) fn command(plan: &Plan<'_>) -> Vec<String> {
    let LabUser { uid, gid, home, .. } = plan.user;
    let (served, folder) = (in_text(&plan.served()), in_text(plan.folder));
    let users = plan.write("passwd", &format!("{USER}:{}:{uid}:{gid}::{served}:/bin/false\n", plan.hash()));
    let groups = plan.write("group", &format!("{USER}:x:{gid}:\n"));
    let (low, high) = plan.ports.passive();
    // DelayEngine would slow every login down on purpose.
    let text = format!(
        "ModulePath {modules}\nLoadModule mod_facts.c\nServerName lab\nServerType standalone\nDefaultServer on\n\
         UseIPv6 {v6}\nDefaultAddress {addr}\nSocketBindTight on\nPort {port}\nUseReverseDNS off\n\
         User {USER}\nGroup {USER}\nPidFile {folder}/proftpd.pid\nScoreboardFile {folder}/scoreboard\n\
         SystemLog {folder}/proftpd.log\nTransferLog none\nWtmpLog off\nDelayEngine off\n\
         AuthOrder mod_auth_file.c\nAuthUserFile {users}\nAuthGroupFile {groups}\nAuthPAM off\n\
         RequireValidShell off\nDefaultRoot {served}\nUmask 0{umask:o} 0{umask:o}\nAllowOverwrite {overwriting}\n\
         AllowStoreRestart {appending}\nAllowRetrieveRestart on\nPassivePorts {low} {high}\nMaxInstances none\n\
         TimesGMT {gmt}\nTimeoutIdle {idle}\nTimeoutNoTransfer {idle}\nTimeoutStalled 0\nTimeoutLogin 300\n",
        modules = in_text(&home.join("usr/lib/proftpd")),
        v6 = on(plan.options.addr.is_ipv6()),
        addr = plan.options.addr,
        port = plan.ports.control(),
        umask = plan.options.umask,
        gmt = on(plan.options.zone.is_none()),
        idle = plan.idle(),
        overwriting = on(plan.options.allows.overwriting),
        appending = on(plan.options.allows.appending),
    );
    let conf = plan.write("proftpd.conf", &(text + &more(plan) + &tls(plan)));
    vec![plan.program("usr/sbin/proftpd"), "-n".into(), "-q".into(), "-c".into(), conf]
}

fn more(plan: &Plan<'_>) -> String {
    let mut text = String::new();
    if plan.options.max_clients > 0 {
        text += &format!("MaxClients {n}\nMaxClientsPerHost {n}\n", n = plan.options.max_clients);
    }
    if let Some(address) = plan.options.masquerade {
        text += &format!("MasqueradeAddress {address}\n");
    }
    let allows = plan.options.allows;
    let limits = [
        (plan.options.passive, "PASV EPSV"),
        (allows.writing, "WRITE"),
        (allows.times, "MFMT MFF SITE_UTIME"),
        (allows.modes, "SITE_CHMOD"),
    ];
    for (_, verbs) in limits.iter().filter(|(allowed, _)| !allowed) {
        text += &format!("<Limit {verbs}>\nDenyAll\n</Limit>\n");
    }
    if allows.foreign_data {
        text += "AllowForeignAddress on\n";
    }
    if allows.site_commands {
        text = format!("LoadModule mod_site_misc.c\nLoadModule mod_copy.c\n{text}");
    }
    text
}

fn tls(plan: &Plan<'_>) -> String {
    let Some(files) = plan.certificate() else { return String::new() };
    let versions = match plan.options.versions {
        Versions::Both => "TLSv1.2 TLSv1.3",
        Versions::Only12 => "TLSv1.2",
        Versions::Only13 => "TLSv1.3",
    };
    let mut options = Vec::new();
    if !plan.options.session_reuse {
        options.push("NoSessionReuseRequired");
    }
    if plan.options.tls == Tls::Implicit {
        options.push("UseImplicitSSL");
    }
    let options = if options.is_empty() { String::new() } else { format!("TLSOptions {}\n", options.join(" ")) };
    let clients = plan.client_ca().map(|ca| format!("TLSVerifyClient on\nTLSCACertificateFile {ca}\n"));
    format!(
        "LoadModule mod_tls.c\nTLSEngine on\nTLSLog {log}\nTLSProtocol {versions}\nTLSECCertificateFile {cert}\n\
         TLSECCertificateKeyFile {key}\nTLSRequired {required}\n{options}{clients}",
        log = in_text(&plan.folder.join("tls.log")),
        cert = in_text(&files.cert),
        key = in_text(&files.key),
        required = on(plan.options.tls != Tls::Offered),
        clients = clients.unwrap_or_default(),
    )
}

fn on(is: bool) -> &'static str {
    if is { "on" } else { "off" }
}
