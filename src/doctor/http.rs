//! The two listeners, and how browsers will see the app.

use super::{Finding, is_private};
use crate::config::Config;
use std::net::{SocketAddr, TcpListener};

/// Files and sockets beside clients' connections.
const OTHER_FILES: u64 = 256;

pub(super) fn examine(config: &Config, running: bool) -> Vec<Finding> {
    let mut findings = vec![
        free("the app", "http.listen", config.http.listen, running),
        free(
            "operations",
            "operations.listen",
            config.operations.listen,
            running,
        ),
    ];
    if !is_private(config.operations.listen.ip()) {
        findings.push(Finding::warning(
            format!("operations listen on {}, which others may reach", config.operations.listen),
            "set operations.listen to a loopback or internal address, or keep the Internet away with a firewall",
        ));
    }
    findings.push(browsers(config));
    findings.extend(proxies(config));
    findings.extend(files(config.http.max_connections as u64));
    findings
}

fn free(what: &str, key: &str, address: SocketAddr, running: bool) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::fine(format!("{what}: {address} is free")),
        Err(_) if running => Finding::fine(format!(
            "{what}: {address} is taken, by the running service it seems"
        )),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Finding::error(
            format!("{what}: {address} is in use by another program"),
            format!("stop that program (ss -ltnp shows it), or choose another port with {key}"),
        ),
        Err(error) if error.kind() == std::io::ErrorKind::AddrNotAvailable => Finding::error(
            format!("{what}: this machine has no address {}", address.ip()),
            format!("set {key} to an address of this machine; 0.0.0.0 means all"),
        ),
        Err(error) => Finding::error(
            format!("{what}: cannot listen on {address}: {error}"),
            format!("choose another address with {key}; ports below 1024 need a privilege"),
        ),
    }
}

fn browsers(config: &Config) -> Finding {
    let http = &config.http;
    let local = http.listen.ip().is_loopback();
    match http.public_url.split_once("://") {
        Some(("https", _)) => Finding::fine(format!("people open {}", http.public_url)),
        Some((_, host)) if !is_localhost(host) => Finding::error(
            format!("people open {}, without TLS", http.public_url),
            "browsers give the microphone only to https:// and localhost: put a proxy with a certificate in front, and \
             write https:// in http.public_url",
        ),
        Some(_) => Finding::fine(format!("people open {}, on this machine", http.public_url)),
        None if local => Finding::fine("the app is for this machine only"),
        None => Finding::warning(
            format!(
                "the app listens on {} and http.public_url is not set",
                http.listen
            ),
            "set http.public_url to what people open: browsers give the microphone only to https:// and localhost",
        ),
    }
}

/// This binary speaks no TLS, so `https` is a proxy's.
fn proxies(config: &Config) -> Option<Finding> {
    let http = &config.http;
    (http.public_url.starts_with("https:") && http.trusted_proxies.is_empty()).then(|| {
        Finding::error(
            "people come through a proxy, and http.trusted_proxies does not name it",
            "set http.trusted_proxies to the proxy's address or network, such as [\"10.0.0.0/8\"], and let it write \
             X-Forwarded-For: else all people share one address's limits, 20 codes an hour among them",
        )
    })
}

pub(super) fn is_localhost(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

fn files(connections: u64) -> Option<Finding> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is valid for the whole call, which only writes to it.
    let failed = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    let wanted = connections + OTHER_FILES;
    (failed == 0 && limit.rlim_cur < wanted).then(|| {
        Finding::warning(
            format!("{} files may be open at a time, but http.max_connections is {connections}", limit.rlim_cur),
            format!("raise the limit (ulimit -n {wanted}, or LimitNOFILE in a unit), or lower http.max_connections"),
        )
    })
}
