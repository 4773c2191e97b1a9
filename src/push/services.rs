//! Which push services there are, and how much may be on its way to each. Pure but for the counting.
//!
//! Endpoints come from clients, so they are URLs that somebody wants this server to post to: only those of listed services
//! are, over HTTPS, on its usual port and without anything that a URL can hide. A service that is slow has its own places
//! used up ([`AT_ONCE`]) and nobody else's.

use mitalk_actors::ports::PUSHES_UNDER_WAY;
use reqwest::Url;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Entries of the list, at most.
pub const MAX_SERVICES: usize = 8;
/// Messages on their way to one of them at a time.
pub const AT_ONCE: usize = PUSHES_UNDER_WAY / MAX_SERVICES;

/// An entry that names no push service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "has `{0}`; write a host (push.example.org), all below one (*.example.org), or an origin (https://push.example.org:8443)"
)]
pub struct NoService(String);

/// The services of a configuration.
pub struct Services(Vec<Service>);

struct Service {
    of: Of,
    places: Arc<Semaphore>,
}

#[derive(Debug, PartialEq, Eq)]
enum Of {
    Host(String),
    /// With the dot before it.
    Below(String),
    Origin(String),
}

impl Services {
    /// Reads a list.
    ///
    /// # Errors
    /// The first entry that names none.
    pub fn parse(list: &[String]) -> Result<Self, NoService> {
        let service = |entry: &String| {
            let of = parse(entry).ok_or_else(|| NoService(entry.clone()))?;
            let places = Arc::new(Semaphore::new(AT_ONCE));
            Ok(Service { of, places })
        };
        list.iter().map(service).collect::<Result<_, _>>().map(Self)
    }

    /// The endpoint as a URL, and a place on the way to its service if one is free. Absent: it is nobody's who is listed.
    pub(super) fn find(&self, endpoint: &str) -> Option<(Url, Option<OwnedSemaphorePermit>)> {
        let url = Url::parse(endpoint).ok()?;
        let service = self.0.iter().find(|service| service.of.has(&url))?;
        let place = service.places.clone().try_acquire_owned().ok();
        Some((url, place))
    }

    /// Whether the endpoint is one of theirs.
    pub fn has(&self, endpoint: &str) -> bool {
        Url::parse(endpoint).is_ok_and(|url| self.0.iter().any(|service| service.of.has(&url)))
    }
}

fn parse(entry: &str) -> Option<Of> {
    if entry.contains("://") {
        let url = Url::parse(entry).ok()?;
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
        let origin = url.origin().ascii_serialization();
        return (is_safe && origin == entry).then_some(Of::Origin(origin));
    }
    match entry.strip_prefix('*') {
        Some(below) => is_host(below.strip_prefix('.')?).then(|| Of::Below(below.to_owned())),
        None => is_host(entry).then(|| Of::Host(entry.to_owned())),
    }
}

/// A name with a dot, as URLs have it; no address.
fn is_host(name: &str) -> bool {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    name.contains('.')
        && name.chars().all(is_name)
        && !name.split('.').any(str::is_empty)
        && name.parse::<IpAddr>().is_err()
}

impl Of {
    fn has(&self, url: &Url) -> bool {
        let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        let is_usual = url.scheme() == "https" && url.port().is_none();
        let host = url.host_str().unwrap_or_default();
        is_plain
            && match self {
                Self::Host(name) => is_usual && host == name,
                Self::Below(below) => is_usual && host.len() > below.len() && host.ends_with(below),
                Self::Origin(origin) => url.origin().ascii_serialization() == *origin,
            }
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::Config;

    fn services(list: &[&str]) -> Services {
        let list: Vec<_> = list.iter().map(|&entry| entry.to_owned()).collect();
        Services::parse(&list).unwrap()
    }

    #[test]
    fn only_endpoints_of_listed_services_are_believed() {
        let known = Services::parse(&Config::default().services).unwrap();
        for good in [
            "https://fcm.googleapis.com/fcm/send/abc:def",
            "https://updates.push.services.mozilla.com/wpush/v2/x",
            "https://wns2-par02p.notify.windows.com/w/?token=x",
            "https://web.push.apple.com/QD",
            "https://FCM.googleapis.com:443/x",
        ] {
            assert!(known.has(good), "{good}");
        }
        for bad in [
            "http://fcm.googleapis.com/x",
            "https://fcm.googleapis.com:8443/x",
            "https://user@fcm.googleapis.com/x",
            "https://fcm.googleapis.com@evil.example/x",
            "https://fcm.googleapis.com.evil.example/x",
            "https://evilfcm.googleapis.com/x",
            "https://.notify.windows.com/x",
            "https://notify.windows.com/x",
            "https://evil-notify.windows.com/x",
            "https://fcm.googleapis.com/x#fragment",
            "https://127.0.0.1/x",
            "https://169.254.169.254/latest/meta-data",
            "http://[::1]:9090/admin",
            "file:///etc/passwd",
            "no url",
            "",
        ] {
            assert!(!known.has(bad), "{bad}");
        }
    }

    #[test]
    fn an_origin_of_ones_own_is_named_in_full() {
        let own = services(&["http://127.0.0.1:8099", "https://push.example.org:8443"]);
        assert!(own.has("http://127.0.0.1:8099/a"));
        assert!(own.has("https://push.example.org:8443/a"));
        assert!(!own.has("http://127.0.0.1:8098/a"));
        assert!(!own.has("https://push.example.org/a"));
        for bad in [
            "http://push.example.org",
            "https://push.example.org/",
            "https://push.example.org/path",
            "localhost",
            "10.0.0.1",
            "*",
            "*.",
            "*.com.",
            "*example.org",
            "Push.Example.Org",
            "ftp://push.example.org",
            "",
        ] {
            let list = [bad.to_owned()];
            assert_eq!(
                Services::parse(&list).err(),
                Some(NoService(bad.to_owned())),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_slow_service_has_its_own_places_and_no_others() {
        let known = services(&["slow.example.org", "*.fast.example.org"]);
        let place = |endpoint: &str| known.find(endpoint).expect("it is listed").1;
        let taken: Vec<_> = (0..AT_ONCE)
            .map(|_| place("https://slow.example.org/x").expect("a place is free"))
            .collect();
        assert!(place("https://slow.example.org/y").is_none());
        assert!(place("https://a.fast.example.org/x").is_some());
        drop(taken);
        assert!(place("https://slow.example.org/y").is_some());
    }
}
