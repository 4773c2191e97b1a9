//! The operators' listener and the admin API behind it.

use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// The operators' listener: metrics, health and the admin API. Keep it off the Internet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Operations {
    /// Address and port of `/metrics`, `/healthz`, `/readyz` and `/admin/v1`.
    pub listen: SocketAddr,
    /// After SIGTERM, clients are told to move and get so long before connections are cut.
    pub drain_timeout_ms: u64,
}

impl Default for Operations {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 9090),
            drain_timeout_ms: 10_000,
        }
    }
}

/// The admin API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// The file with the token that operators show; empty: `admin-token` in the data directory, made on first start.
    pub token_file: PathBuf,
    /// Lets operators make active accounts without a phone, for load tests. Never on a service with real people.
    pub test_admission: bool,
}

impl Admin {
    /// Where the token is.
    pub fn token_path(&self, data_dir: &Path) -> PathBuf {
        if self.token_file.as_os_str().is_empty() {
            data_dir.join("admin-token")
        } else {
            self.token_file.clone()
        }
    }
}
