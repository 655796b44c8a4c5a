//! vsftpd's configuration.

use std::fs;
use std::net::IpAddr;

use super::Tls;
use super::plan::{PAM_SERVICE, Plan, in_text};

pub(super) fn command(plan: &Plan<'_>) -> Vec<String> {
    let empty = plan.folder.join("empty");
    fs::create_dir(&empty).expect("the folder is ours");
    let (addr, clients, idle) = (plan.options.addr, plan.options.max_clients, plan.idle());
    let (v4, v6, listen) = match addr {
        IpAddr::V4(_) => ("YES", "NO", "listen_address"),
        IpAddr::V6(_) => ("NO", "YES", "listen_address6"),
    };
    let (low, high) = plan.ports.passive();
    let allows = plan.options.allows;
    assert!(allows.overwriting && allows.appending, "vsftpd has no settings for that");
    assert!(!allows.site_commands, "vsftpd has SITE CHMOD and no more");
    // isolate and seccomp_sandbox cost a namespace per session and fail in containers; use_localtime=NO is vsftpd's own
    // default (MDTM in UTC), which Debian's file turns round.
    let text = format!(
        "listen={v4}\nlisten_ipv6={v6}\n{listen}={addr}\nlisten_port={port}\nbackground=NO\n\
         anonymous_enable=NO\nlocal_enable=YES\nwrite_enable={writing}\nlocal_umask=0{umask:o}\nfile_open_mode=0666\n\
         local_root={served}\nchroot_local_user=YES\nallow_writeable_chroot=YES\ncheck_shell=NO\n\
         pam_service_name={PAM_SERVICE}\nsecure_chroot_dir={empty}\nnopriv_user=nobody\n\
         seccomp_sandbox=NO\nisolate=NO\nisolate_network=NO\nmdtm_write={times}\nchmod_enable={modes}\nuse_localtime={local}\n\
         dirmessage_enable=NO\nport_enable=YES\nconnect_from_port_20=NO\nxferlog_enable=NO\ntcp_wrappers=NO\n\
         pasv_enable={passive}\npasv_min_port={low}\npasv_max_port={high}\nmax_clients={clients}\nmax_per_ip={clients}\n\
         idle_session_timeout={idle}\ndata_connection_timeout={idle}\n\
         pasv_promiscuous={foreign}\nport_promiscuous={foreign}\n",
        foreign = yes(allows.foreign_data),
        port = plan.ports.control(),
        umask = plan.options.umask,
        served = in_text(&plan.served()),
        empty = in_text(&empty),
        local = yes(plan.options.zone.is_some()),
        passive = yes(plan.options.passive),
        writing = yes(allows.writing),
        times = yes(allows.times),
        modes = yes(allows.modes),
    );
    let address = plan.options.masquerade.map(|address| format!("pasv_address={address}\n")).unwrap_or_default();
    vec![plan.program("usr/sbin/vsftpd"), plan.write("vsftpd.conf", &(text + &address + &tls(plan)))]
}

fn tls(plan: &Plan<'_>) -> String {
    let Some(files) = plan.certificate() else { return String::new() };
    let clients = plan.client_ca().map(|ca| format!("require_cert=YES\nvalidate_cert=YES\nca_certs_file={ca}\n"));
    format!(
        "ssl_enable=YES\nrsa_cert_file={cert}\nrsa_private_key_file={key}\nssl_ciphers=HIGH\n\
         force_local_logins_ssl={required}\nforce_local_data_ssl={required}\nimplicit_ssl={implicit}\n\
         require_ssl_reuse={reuse}\n{clients}",
        cert = in_text(&files.cert),
        key = in_text(&files.key),
        required = yes(plan.options.tls != Tls::Offered),
        implicit = yes(plan.options.tls == Tls::Implicit),
        reuse = yes(plan.options.session_reuse),
        clients = clients.unwrap_or_default(),
    )
}

fn yes(is: bool) -> &'static str {
    if is { "YES" } else { "NO" }
}
