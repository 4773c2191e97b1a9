//! Where clients are told to send their audio, and whether it can arrive there.

use super::{Finding, is_ours, is_private};
use crate::config::Config;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// An address of the documentation range (RFC 5737): connecting a UDP socket to it sends nothing, and shows by which
/// of our addresses packets would leave.
const SOMEWHERE: &str = "192.0.2.1:9";

pub(super) fn examine(config: &Config, running: bool) -> Vec<Finding> {
    let mut findings: Vec<_> = config
        .media
        .bind
        .iter()
        .flat_map(|address| ports(*address, config.media.threads))
        .map(|address| free(address, running))
        .collect();
    if config.media.announce.is_empty() {
        findings.extend(config.media.bind.iter().map(|bind| unannounced(*bind, config)));
    } else {
        findings.extend(
            config
                .media
                .announce
                .iter()
                .map(|address| announced(*address, config)),
        );
    }
    findings
}

/// Each thread has a port of its own, one above the other.
fn ports(first: SocketAddr, threads: usize) -> impl Iterator<Item = SocketAddr> {
    let count = u16::try_from(threads).unwrap_or(u16::MAX);
    (0..count).map(move |n| SocketAddr::new(first.ip(), first.port().saturating_add(n)))
}

fn free(address: SocketAddr, running: bool) -> Finding {
    match UdpSocket::bind(address) {
        Ok(_) => Finding::fine(format!("audio: UDP {address} is free")),
        Err(_) if running => Finding::fine(format!(
            "audio: UDP {address} is taken, by the running service it seems"
        )),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Finding::error(
            format!("audio: UDP {address} is in use by another program"),
            "stop that program (ss -lunp shows it), or choose another port with media.bind",
        ),
        Err(error) => Finding::error(
            format!("audio: cannot bind UDP {address}: {error}"),
            "set media.bind to an address of this machine; 0.0.0.0 means all",
        ),
    }
}

/// An address that the operator says clients can send to.
fn announced(address: IpAddr, config: &Config) -> Finding {
    let ports: Vec<_> = config
        .media
        .bind
        .iter()
        .map(|bind| bind.port().to_string())
        .collect();
    let ports = ports.join(", ");
    if address.is_unspecified() {
        return Finding::error(
            format!("audio: {address} is announced, where nobody can send anything"),
            "set media.announce to the address at which clients reach this machine",
        );
    }
    if is_ours(address) {
        let bound = config
            .media
            .bind
            .iter()
            .any(|bind| bind.ip().is_unspecified() || bind.ip() == address);
        if !bound {
            return Finding::error(
                format!("audio: {address} is announced, but media.bind does not listen on it"),
                format!("bind to {address} or to 0.0.0.0, or announce the address that is bound"),
            );
        }
        if is_private(address) && is_public(config) {
            return Finding::warning(
                format!("audio: {address} is announced, which only its own network can reach"),
                "behind a NAT, announce the outside address and forward the UDP port to this machine",
            );
        }
        return Finding::fine(format!("audio: {address} is announced and is of this machine"));
    }
    if is_private(address) {
        return Finding::error(
            format!("audio: {address} is announced, but it is not of this machine and private"),
            "this is probably an old or mistyped address: announce one of this machine, or the NAT's outside",
        );
    }
    Finding::warning(
        format!("audio: {address} is announced, and is not of this machine"),
        format!(
            "right behind a NAT or load balancer, if it passes UDP {ports} on to this machine with the same port; that \
             cannot be seen from here. Otherwise nobody will hear anything"
        ),
    )
}

/// Nothing is announced: clients are told what is bound.
fn unannounced(bind: SocketAddr, config: &Config) -> Finding {
    let told = if bind.ip().is_unspecified() {
        outbound().unwrap_or(bind.ip())
    } else {
        bind.ip()
    };
    if bind.ip().is_loopback() && (is_public(config) || !config.http.listen.ip().is_loopback()) {
        return Finding::error(
            format!("audio: media.bind is {bind}, so only this machine can send anything"),
            "bind to 0.0.0.0, or to the address that clients can reach",
        );
    }
    if is_private(told) && is_public(config) {
        return Finding::warning(
            format!("audio: clients are told to send to {told}, which only its own network can reach"),
            "set media.announce to the outside address, and let the NAT pass the UDP port on to this machine",
        );
    }
    Finding::fine(format!("audio: clients are told to send to {told}"))
}

/// People are expected from elsewhere.
fn is_public(config: &Config) -> bool {
    config.http.public_url.starts_with("https://")
}

/// The address by which packets leave, if there is a route at all.
fn outbound() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect(SOMEWHERE).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn config(bind: &str, announce: &[&str], public_url: &str) -> Config {
        let mut config = Config::default();
        config.media.bind = vec![bind.parse().unwrap()];
        config.media.announce = announce.iter().map(|address| address.parse().unwrap()).collect();
        config.http.public_url = public_url.to_owned();
        config
    }

    fn worst(config: &Config) -> Finding {
        examine(config, false)
            .into_iter()
            .max_by_key(|finding| finding.level)
            .unwrap()
    }

    #[test]
    fn wrong_addresses_are_explained() {
        let url = "https://talk.example.org";
        assert_eq!(worst(&config("127.0.0.1:0", &[], "")).level, Level::Fine);
        for (bind, announce, level, hint) in [
            ("127.0.0.1:0", &[][..], Level::Error, "only this machine can send"),
            ("0.0.0.0:0", &["0.0.0.0"], Level::Error, "nobody can send"),
            (
                "0.0.0.0:0",
                &["192.168.254.253"],
                Level::Error,
                "not of this machine and private",
            ),
            (
                "0.0.0.0:0",
                &["203.0.113.7"],
                Level::Warning,
                "not of this machine",
            ),
            (
                "0.0.0.0:0",
                &["127.0.0.1"],
                Level::Warning,
                "only its own network",
            ),
        ] {
            let finding = worst(&config(bind, announce, url));
            assert_eq!(finding.level, level, "{finding:?}");
            assert!(finding.what.contains(hint), "{finding:?}");
            assert!(!finding.advice.is_empty());
        }
    }

    #[test]
    fn a_busy_port_is_named() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let finding = worst(&config(&taken.local_addr().unwrap().to_string(), &[], ""));
        assert!(finding.what.contains("in use"), "{finding:?}");
    }
}
