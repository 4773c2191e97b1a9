//! What all clients of the brokers have in common: their settings, and where their complaints go.

use super::link::Link;
use super::metrics::Metrics;
use crate::config::{Kafka as Config, Security};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, ClientContext, Statistics};
use std::collections::BTreeSet;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

/// Events that wait to be sent, and their size. The relay has one row per entity on the wire (rule 10).
const QUEUE_MESSAGES: &str = "10000";
const QUEUE_KIB: &str = "32768";
/// Fetched ahead, per partition and for all of a member's.
const FETCH_KIB: &str = "4096";
/// A member that is gone gives its partitions back after so long.
const SESSION_MS: &str = "10000";
const HEARTBEAT_MS: &str = "3000";
/// How often a member says how far behind it is.
const STATISTICS_MS: &str = "5000";

/// A password or a certificate that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file with the password.
    #[error("kafka.sasl_password_file: {0}")]
    Password(#[from] std::io::Error),
    /// The library takes a setting not.
    #[error("kafka: {0}")]
    Client(#[from] KafkaError),
}

/// Settings of every client.
pub(super) fn common(config: &Config) -> Result<ClientConfig, ConfigError> {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", config.brokers.join(","))
        .set("client.id", "mitalk")
        // An unknown topic is an error after a second, not after half a minute.
        .set("topic.metadata.propagation.max.ms", "1000")
        .set("socket.timeout.ms", "10000")
        .set("socket.keepalive.enable", "true")
        .set("reconnect.backoff.max.ms", "2000")
        .set_log_level(RDKafkaLogLevel::Error);
    secure(config, &mut client)?;
    Ok(client)
}

fn secure(config: &Config, client: &mut ClientConfig) -> Result<(), ConfigError> {
    let protocol = match config.security {
        Security::Plaintext => return Ok(()),
        Security::Ssl => "ssl",
        Security::SaslSsl => "sasl_ssl",
    };
    client.set("security.protocol", protocol);
    let files = [
        ("ssl.ca.location", &config.ca_file),
        ("ssl.certificate.location", &config.certificate_file),
        ("ssl.key.location", &config.key_file),
    ];
    for (key, file) in files {
        if let Some(file) = file {
            client.set(key, file.display().to_string());
        }
    }
    if let (Security::SaslSsl, Some(file)) = (config.security, &config.sasl_password_file) {
        client
            .set("sasl.mechanism", &config.sasl_mechanism)
            .set("sasl.username", &config.sasl_username)
            .set("sasl.password", std::fs::read_to_string(file)?.trim_end());
    }
    Ok(())
}

/// Settings of the producer: each event is on enough brokers before it counts as sent.
///
/// Not idempotent: against a broker that starts under load, one acknowledged event of some thousands was in no topic in 3 of
/// 17 runs of `a_broker_that_dies_under_appends_loses_nothing_acknowledged`; without idempotence in none of 28. Sends end
/// after `message.timeout.ms` there while they are under way, and are repeated; that the repeat was taken for what is there
/// already would fit, and was not seen itself. Receivers recognise repeats by their sequence anyway.
pub(super) fn producer(common: &ClientConfig, config: &Config) -> ClientConfig {
    let mut client = common.clone();
    client
        .set("enable.idempotence", "false")
        .set("acks", "all")
        .set("message.timeout.ms", config.message_timeout_ms.to_string())
        .set("linger.ms", "1")
        .set("queue.buffering.max.messages", QUEUE_MESSAGES)
        .set("queue.buffering.max.kbytes", QUEUE_KIB)
        // As Java's clients do, so that all find an entity in the same partition.
        .set("partitioner", "murmur2_random");
    client
}

/// Settings of a member of a group.
pub(super) fn member(common: &ClientConfig, group: &str) -> ClientConfig {
    let mut client = common.clone();
    client
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", SESSION_MS)
        .set("heartbeat.interval.ms", HEARTBEAT_MS)
        .set("queued.max.messages.kbytes", FETCH_KIB)
        .set("fetch.message.max.bytes", "1048576")
        .set("statistics.interval.ms", STATISTICS_MS);
    client
}

/// Settings of somebody who only reads.
pub(super) fn reader(common: &ClientConfig) -> ClientConfig {
    let mut client = common.clone();
    client
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest")
        .set("queued.max.messages.kbytes", FETCH_KIB);
    client
}

/// What an operator can do about a broker that answers, and turns us away.
fn refusal(code: RDKafkaErrorCode, text: &str) -> Option<String> {
    // `sasl_ssl://127.0.0.1:9093/1: words (after 3ms in state AUTH_REQ)`: only the words are the same each time.
    let words = match text.split_once(": ") {
        Some((broker, words)) if broker.contains("://") => words,
        _ => text,
    };
    let words = words.split(" (after ").next().unwrap_or_default();
    match code {
        RDKafkaErrorCode::Authentication => Some(format!(
            "the brokers refuse kafka.sasl_username with the password in kafka.sasl_password_file, or kafka.sasl_mechanism: \
             {words}"
        )),
        RDKafkaErrorCode::SSL => Some(format!(
            "there is no trust between the brokers and this node: kafka.ca_file must hold what signed their certificates, and \
             those must name the host or address that kafka.brokers has: {words}"
        )),
        _ => None,
    }
}

/// Where a client's complaints go: into the state, and into the log only as detail. A broker that is away is said once, by
/// whoever keeps the state; the library says it hundreds of times.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) link: Arc<Link>,
    pub(super) metrics: Metrics,
    /// The group and topic of a member.
    pub(super) member: Option<(String, String)>,
    /// Partitions that a member lost since they were taken out here.
    lost: Arc<Mutex<BTreeSet<u32>>>,
}

impl Context {
    pub(super) fn new(link: &Arc<Link>, metrics: &Metrics) -> Self {
        Self {
            link: link.clone(),
            metrics: metrics.clone(),
            member: None,
            lost: Arc::default(),
        }
    }

    /// What the member lost since this was asked last.
    pub(super) fn take_lost(&self) -> BTreeSet<u32> {
        mem::take(&mut *self.lost.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, part: &str, text: &str) {
        tracing::debug!(?level, part, text, "kafka client");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka client");
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => self.link.look_now(),
            Some(code) => {
                if let Some(refusal) = refusal(code, reason) {
                    self.link.refused(refusal);
                }
            }
            None => {}
        }
    }

    fn stats(&self, statistics: Statistics) {
        let Some((group, topic)) = &self.member else {
            return;
        };
        let partitions = statistics
            .topics
            .values()
            .flat_map(|topic| topic.partitions.values());
        // -1: not known, as for partitions of other members.
        let lag = partitions.map(|partition| partition.consumer_lag.max(0)).sum();
        self.metrics.lag(group, topic, lag);
    }
}

impl ConsumerContext for Context {
    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(partitions) = rebalance {
            let partitions = partitions
                .elements()
                .into_iter()
                .map(|element| element.partition());
            let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
            lost.extend(partitions.filter_map(|partition| u32::try_from(partition).ok()));
        }
        tracing::debug!(?rebalance, member = ?self.member, "partitions are shared anew");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do_and_the_same_each_time() {
        let told = |after: &str| {
            let text = format!(
                "sasl_ssl://127.0.0.1:9093/bootstrap: SASL authentication error: wrong (after {after})"
            );
            refusal(RDKafkaErrorCode::Authentication, &text).expect("a refusal")
        };
        assert_eq!(
            told("3ms in state AUTH_REQ"),
            told("4ms in state AUTH_REQ, 2 identical")
        );
        assert!(
            told("1ms").ends_with(": SASL authentication error: wrong"),
            "{}",
            told("1ms")
        );
        assert!(told("1ms").contains("kafka.sasl_password_file"));
        assert_eq!(
            refusal(RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down"),
            None
        );
    }
}
