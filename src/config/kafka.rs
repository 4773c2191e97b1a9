//! The Kafka cluster that keeps the event log.

use super::Error;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// How the brokers are spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// In the clear: for networks that nobody else is in.
    #[default]
    Plaintext,
    /// TLS.
    Ssl,
    /// A password over TLS.
    SaslSsl,
}

/// The Kafka cluster that keeps the event log; only with `storage.events = "kafka"`. Topics that are missing are made as
/// described here; those that are there and differ are left as they are and named in `/readyz`, as they were when the brokers
/// were last connected to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kafka {
    /// Some of the brokers (`host:port`), from which the others are learnt.
    pub brokers: Vec<String>,
    /// What the names of topics and consumer groups begin with: for clusters that several installations share.
    pub prefix: String,
    /// Partitions of a topic. Never change it once events were sent: an entity's events would lie in two partitions, without
    /// an order between them.
    pub partitions: u32,
    /// Copies of a topic, on as many brokers.
    pub replication: u32,
    /// Copies that must have an event before it counts as sent. Less than `replication`, so that a broker may be away.
    pub min_isr: u32,
    /// How long events are kept, in hours. Dead letters stay until somebody retries or drops them.
    pub retention_hours: u64,
    /// How long the audit is kept, in hours; 0: for ever.
    pub audit_retention_hours: u64,
    /// How long an event may take until enough brokers have it, in milliseconds; then it is sent again. At least 1,100 less than
    /// `cluster.store_timeout_ms`: the client looks once a second, and the node stops listening then. Raise both for brokers
    /// that are slow; at most a third of `cluster.ttl_ms`, after which another node may be sending for the same shards.
    pub message_timeout_ms: u64,
    /// `plaintext`, `ssl` or `sasl_ssl`; the latter two need a binary with the feature `kafka-tls`.
    pub security: Security,
    /// Certificates of the authorities that the brokers' certificates come from, PEM; absent: the system's.
    pub ca_file: Option<PathBuf>,
    /// This client's certificate, PEM, where brokers ask for one.
    pub certificate_file: Option<PathBuf>,
    /// The private key to it, PEM.
    pub key_file: Option<PathBuf>,
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub sasl_mechanism: String,
    /// The user's name.
    pub sasl_username: String,
    /// A file with the user's password.
    pub sasl_password_file: Option<PathBuf>,
}

impl Default for Kafka {
    fn default() -> Self {
        Self {
            brokers: vec!["127.0.0.1:9092".to_owned()],
            prefix: String::new(),
            partitions: 12,
            replication: 3,
            min_isr: 2,
            retention_hours: 7 * 24,
            audit_retention_hours: 0,
            message_timeout_ms: 1_800,
            security: Security::Plaintext,
            ca_file: None,
            certificate_file: None,
            key_file: None,
            sasl_mechanism: "SCRAM-SHA-512".to_owned(),
            sasl_username: String::new(),
            sasl_password_file: None,
        }
    }
}

/// More are of no use to four topics, and each is a file handle on the brokers.
const MOST_PARTITIONS: u32 = 1_000;
/// What Kafka allows in the name of a topic.
const NAME_BYTES: usize = 128;
/// A message is found to be late up to a second afterwards (librdkafka looks that often), and this is told a little later.
const LATE_MS: u64 = 1_100;
/// A broker on another continent answers within this.
const LEAST_TIMEOUT_MS: u64 = 200;
/// Ten years.
const MOST_HOURS: u64 = 24 * 366 * 10;
const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

impl Kafka {
    /// How long events are kept.
    pub fn retention(&self) -> Duration {
        hours(self.retention_hours)
    }

    /// How long the audit is kept, if not for ever.
    pub fn audit_retention(&self) -> Option<Duration> {
        (self.audit_retention_hours > 0).then(|| hours(self.audit_retention_hours))
    }

    /// How long an event may take until enough brokers have it.
    pub fn message_timeout(&self) -> Duration {
        Duration::from_millis(self.message_timeout_ms)
    }

    /// Checks what serde cannot, beside the node that sends.
    ///
    /// # Errors
    /// [`Error::Value`].
    pub fn validate(&self, node: &mitalk_cluster::Config) -> Result<(), Error> {
        let wrong = |key: &'static str, what: &str| Err(Error::value(key, what));
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if self.brokers.is_empty() || self.brokers.iter().any(|broker| !broker.contains(':')) {
            return wrong("kafka.brokers", "names at least one broker as host:port");
        }
        if self.prefix.len() > NAME_BYTES || !self.prefix.chars().all(is_name) {
            return wrong(
                "kafka.prefix",
                "is at most 128 letters, digits, dots, underscores and hyphens",
            );
        }
        if !(1..=MOST_PARTITIONS).contains(&self.partitions) {
            return wrong("kafka.partitions", "must be 1 to 1000");
        }
        if self.replication == 0 || self.min_isr == 0 || self.min_isr > self.replication {
            return wrong(
                "kafka.min_isr",
                "must be 1 to kafka.replication, and that at least 1",
            );
        }
        if !(1..=MOST_HOURS).contains(&self.retention_hours) {
            return wrong("kafka.retention_hours", "must be 1 hour to 10 years");
        }
        if self.audit_retention_hours > MOST_HOURS {
            return wrong(
                "kafka.audit_retention_hours",
                "must be at most 10 years; 0 is for ever",
            );
        }
        self.validate_message_timeout(node)?;
        self.validate_security()
    }

    fn validate_message_timeout(&self, node: &mitalk_cluster::Config) -> Result<(), Error> {
        let wrong = |what: &str| Err(Error::value("kafka.message_timeout_ms", what));
        if self.message_timeout_ms < LEAST_TIMEOUT_MS {
            return wrong("must be at least 200");
        }
        if self.message_timeout_ms.saturating_add(LATE_MS) > node.store_timeout_ms {
            return wrong(
                "must be at least 1100 below cluster.store_timeout_ms: nobody would hear how an append ended",
            );
        }
        // A node holds its shards for two thirds of a lease from its last renewal; others may take them after all of it.
        if self.message_timeout_ms > node.ttl_ms / 3 {
            return wrong(
                "must be at most a third of cluster.ttl_ms: what a node sends last would go out after others took its shards",
            );
        }
        Ok(())
    }

    fn validate_security(&self) -> Result<(), Error> {
        let wrong = |key: &'static str, what: &str| Err(Error::value(key, what));
        if self.security == Security::Plaintext {
            return Ok(());
        }
        if cfg!(not(feature = "kafka-tls")) {
            return wrong(
                "kafka.security",
                "needs TLS, which this binary was built without: build it with --features kafka-tls",
            );
        }
        if self.certificate_file.is_some() != self.key_file.is_some() {
            return wrong(
                "kafka.key_file",
                "and kafka.certificate_file belong together: set both or none",
            );
        }
        if self.security == Security::SaslSsl {
            if !MECHANISMS.contains(&self.sasl_mechanism.as_str()) {
                return wrong(
                    "kafka.sasl_mechanism",
                    "must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
                );
            }
            if self.sasl_username.is_empty() || self.sasl_password_file.is_none() {
                return wrong(
                    "kafka.sasl_password_file",
                    "and kafka.sasl_username must be set for security = \"sasl_ssl\"",
                );
            }
        }
        Ok(())
    }
}

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours.saturating_mul(3_600))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Spoil = fn(&mut Kafka);

    #[test]
    fn what_can_never_work_is_refused_by_its_key() {
        let node = mitalk_cluster::Config::default();
        Kafka::default().validate(&node).unwrap();
        let broken: [(&str, Spoil); 10] = [
            ("brokers", |kafka| kafka.brokers.clear()),
            ("brokers", |kafka| kafka.brokers = vec!["localhost".into()]),
            ("prefix", |kafka| kafka.prefix = "a b".into()),
            ("partitions", |kafka| kafka.partitions = 0),
            ("min_isr", |kafka| kafka.min_isr = 4),
            ("retention_hours", |kafka| kafka.retention_hours = 0),
            ("message_timeout_ms", |kafka| kafka.message_timeout_ms = 0),
            ("audit_retention_hours", |kafka| {
                kafka.audit_retention_hours = u64::MAX;
            }),
            // The node would not hear how an append ended, and send again what had arrived.
            ("message_timeout_ms", |kafka| kafka.message_timeout_ms = 2_000),
            (
                if cfg!(feature = "kafka-tls") {
                    "sasl_password_file"
                } else {
                    "security"
                },
                |kafka| kafka.security = Security::SaslSsl,
            ),
        ];
        for (key, spoil) in broken {
            let mut kafka = Kafka::default();
            spoil(&mut kafka);
            let error = kafka.validate(&node).unwrap_err().to_string();
            assert!(error.contains(&format!("kafka.{key}")), "{error}");
        }
    }

    /// However patient the node is.
    #[test]
    fn a_message_is_not_sent_after_others_may_have_the_lease() {
        let mut node = mitalk_cluster::Config::default();
        node.store_timeout_ms = node.ttl_ms * 2;
        let of = |message_timeout_ms| Kafka {
            message_timeout_ms,
            ..Kafka::default()
        };
        of(node.ttl_ms / 3).validate(&node).unwrap();
        let error = of(node.ttl_ms / 3 + 1).validate(&node).unwrap_err().to_string();
        assert!(error.contains("cluster.ttl_ms"), "{error}");
    }
}
