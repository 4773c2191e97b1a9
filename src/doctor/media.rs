//! Where clients are told to send their audio, and whether it can arrive there.

use super::{Finding, is_ours, is_private};
use crate::config::Config;
use mitalk_media::{Announced, StartError, probe, reachable};
use std::net::{IpAddr, SocketAddr};

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

/// Each thread has a port of its own, one above the other; those that the system chooses are free.
fn ports(first: SocketAddr, threads: usize) -> impl Iterator<Item = SocketAddr> {
    let count = u16::try_from(threads).unwrap_or(u16::MAX);
    let count = if first.port() == 0 { 1 } else { count };
    (0..count).map(move |n| SocketAddr::new(first.ip(), first.port().saturating_add(n)))
}

fn free(address: SocketAddr, running: bool) -> Finding {
    match probe(address) {
        Ok(()) => Finding::fine(format!("audio: UDP {address} is free")),
        Err(_) if running => Finding::fine(format!(
            "audio: UDP {address} is taken, by the running service it seems"
        )),
        Err(StartError::PortBusy(_)) => Finding::error(
            format!("audio: UDP {address} is in use by another program"),
            "stop that program (ss -lunp shows it), or choose another port with media.bind",
        ),
        Err(error) => Finding::error(
            format!("audio: cannot bind UDP {address}: {error}"),
            format!(
                "set media.bind to an address of this machine; {} means all",
                all(address.is_ipv4())
            ),
        ),
    }
}

/// The address that means all of its version.
fn all(v4: bool) -> &'static str {
    if v4 { "0.0.0.0" } else { "[::]" }
}

/// An address that the operator says clients can send to.
fn announced(address: Announced, config: &Config) -> Finding {
    let (ip, bind) = (address.ip, &config.media.bind);
    if ip.is_unspecified() {
        return Finding::error(
            format!("audio: {address} is announced, where nobody can send anything"),
            "set media.announce to the address at which clients reach this machine",
        );
    }
    // One of each version at most; sockets of one take nothing of the other.
    let Some(bound) = bind.iter().find(|bind| bind.is_ipv4() == ip.is_ipv4()) else {
        let version = if ip.is_ipv4() { "IPv4" } else { "IPv6" };
        return Finding::error(
            format!("audio: {address} is announced, but media.bind has no {version} address"),
            format!(
                "add one to media.bind ({} means all), or announce another",
                all(ip.is_ipv4())
            ),
        );
    };
    if is_ours(ip) {
        return own(address, *bound, config);
    }
    if is_private(ip) {
        return Finding::error(
            format!("audio: {address} is announced, but it is not of this machine and private"),
            "this is probably an old or mistyped address: announce one of this machine, or the NAT's outside",
        );
    }
    let last = config.media.threads.saturating_sub(1);
    let range = |first: u16| match last {
        0 => first.to_string(),
        more => format!("{first}-{}", usize::from(first) + more),
    };
    let (outside, inside) = (range(address.port.unwrap_or(bound.port())), range(bound.port()));
    Finding::warning(
        format!("audio: {address} is announced, and is not of this machine"),
        format!(
            "right behind a NAT or load balancer, if it passes UDP {outside} of {ip} on to port {inside} of this machine; that \
             cannot be seen from here. Otherwise nobody will hear anything"
        ),
    )
}

/// An announced address of this machine: there is nothing between it and the socket.
fn own(address: Announced, bound: SocketAddr, config: &Config) -> Finding {
    let ip = address.ip;
    if !bound.ip().is_unspecified() && bound.ip() != ip {
        return Finding::error(
            format!("audio: {ip} is announced, but media.bind does not listen on it"),
            format!(
                "bind to {ip} or to {}, or announce the address that is bound",
                all(ip.is_ipv4())
            ),
        );
    }
    if address.port.is_some_and(|port| port != bound.port()) {
        return Finding::error(
            format!(
                "audio: {address} is announced and is of this machine, but media.bind has port {}",
                bound.port()
            ),
            "leave the port out: another one is for the outside of a NAT or a NodePort, with that one's address",
        );
    }
    if is_private(ip) && is_public(config) {
        return Finding::warning(
            format!("audio: {address} is announced, which only its own network can reach"),
            "behind a NAT, announce the outside address and forward the UDP port to this machine",
        );
    }
    Finding::fine(format!("audio: {address} is announced and is of this machine"))
}

/// Nothing is announced: clients are told what is bound, as the engine sees it.
fn unannounced(bind: SocketAddr, config: &Config) -> Finding {
    let told = reachable(bind.ip()).first().copied().unwrap_or(bind.ip());
    if bind.ip().is_loopback() && (is_public(config) || !config.http.listen.ip().is_loopback()) {
        return Finding::error(
            format!("audio: media.bind is {bind}, so only this machine can send anything"),
            format!(
                "bind to {}, or to the address that clients can reach",
                all(bind.is_ipv4())
            ),
        );
    }
    unannounced_at(bind, told, is_public(config))
}

fn unannounced_at(bind: SocketAddr, told: IpAddr, public: bool) -> Finding {
    if bind.ip().is_unspecified() && told.is_loopback() {
        return Finding::warning(
            format!("audio: there is no route for {bind}, so clients are told nothing but {told}"),
            "connect the machine, leave that address out of media.bind, or set media.announce",
        );
    }
    if is_private(told) && public {
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

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use std::net::UdpSocket;

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
            ("0.0.0.0:0", &["::1"], Level::Error, "no IPv6 address"),
            ("[::]:0", &["127.0.0.1"], Level::Error, "no IPv4 address"),
            ("[::]:0", &["2001:db8::7"], Level::Warning, "not of this machine"),
            (
                "0.0.0.0:0",
                &["127.0.0.1:30400"],
                Level::Error,
                "media.bind has port 0",
            ),
        ] {
            let finding = worst(&config(bind, announce, url));
            assert_eq!(finding.level, level, "{finding:?}");
            assert!(finding.what.contains(hint), "{finding:?}");
            assert!(!finding.advice.is_empty());
        }
    }

    #[test]
    fn an_outside_port_is_told_with_where_it_must_lead() {
        let mut config = config("0.0.0.0:7400", &["203.0.113.7:30400"], "https://talk.example.org");
        let advice = |config: &Config| announced(config.media.announce[0], config).advice;
        assert!(
            advice(&config).contains("UDP 30400 of 203.0.113.7 on to port 7400"),
            "{}",
            advice(&config)
        );
        config.media.threads = 3;
        assert!(advice(&config).contains("30400-30402 of 203.0.113.7 on to port 7400-7402"));
    }

    /// The address by which IPv4 leaves says nothing about a socket of IPv6.
    #[test]
    fn a_socket_of_ipv6_is_told_by_its_own_route() {
        let finding = unannounced("[::]:0".parse().unwrap(), &config("[::]:0", &[], ""));
        let told = finding
            .what
            .rsplit(' ')
            .next()
            .unwrap()
            .parse::<IpAddr>()
            .unwrap();
        assert!(told.is_ipv6(), "{finding:?}");
        let lost = unannounced_at("[::]:7400".parse().unwrap(), "::1".parse().unwrap(), false);
        assert_eq!(lost.level, Level::Warning);
        assert!(lost.what.contains("no route"), "{lost:?}");
    }

    #[test]
    fn a_busy_port_is_named() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let finding = worst(&config(&taken.local_addr().unwrap().to_string(), &[], ""));
        assert!(finding.what.contains("in use"), "{finding:?}");
    }
}
