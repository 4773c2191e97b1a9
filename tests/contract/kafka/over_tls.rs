//! The same suite over TLS, with and without a password; and what operators are told where that does not fit.
//!
//! `make test-tls` starts a broker with such listeners (`deploy/local/kafka.sh` with `KAFKA_TLS=1`) and says so by
//! `MITALK_TEST_KAFKA_TLS`; the client has TLS by the feature `kafka-tls`.

use std::path::PathBuf;
use std::sync::Arc;

use mitalk::config::{Events, Security};
use mitalk::doctor::{Finding, Level, examine};
use mitalk_actors::events::TOPICS;
use mitalk_actors::testing::{contract, memory};
use mitalk_cluster::SystemClock;
use mitalk_tests::kafka::Secure;

use super::{Config, Fresh, Kafka, Metrics, away_because, config, connected, start};

const MECHANISMS: [&str; 2] = ["PLAIN", "SCRAM-SHA-512"];

fn by_tls(secure: &Secure) -> Config {
    Config {
        security: Security::Ssl,
        ca_file: Some(secure.file("ca.pem")),
        ..config(&secure.by_tls)
    }
}

fn by_password(secure: &Secure, mechanism: &str) -> Config {
    Config {
        security: Security::SaslSsl,
        ca_file: Some(secure.file("ca.pem")),
        sasl_mechanism: mechanism.to_owned(),
        sasl_username: "mitalk".to_owned(),
        sasl_password_file: Some(secure.file("password")),
        ..config(&secure.by_password)
    }
}

/// A file with something else in it than the password, and what keeps it.
fn wrong_password() -> (PathBuf, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("password");
    std::fs::write(&path, "something else").expect("writable");
    (path, directory)
}

#[tokio::test(flavor = "multi_thread")]
async fn events() {
    let Some(secure) = Secure::found() else { return };
    let ledger = Fresh::new();
    let kafka = connected(&by_tls(&secure), Arc::new(ledger.store.clone())).await;
    contract::events(&kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_with_a_password() {
    let Some(secure) = Secure::found() else { return };
    for mechanism in MECHANISMS {
        let ledger = Fresh::new();
        let kafka = connected(&by_password(&secure, mechanism), Arc::new(ledger.store.clone())).await;
        contract::events(&kafka).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_explained() {
    let Some(secure) = Secure::found() else { return };
    let (password, _kept) = wrong_password();
    for mechanism in MECHANISMS {
        let wrong = Config {
            sasl_password_file: Some(password.clone()),
            ..by_password(&secure, mechanism)
        };
        let kafka = start(&wrong, Arc::new(memory::Log::default()));
        let reason = away_because(&kafka, "kafka.sasl_password_file").await;
        assert!(!reason.contains("something else"), "no password in it: {reason}");
    }
    let other_authority = Config {
        ca_file: Some(secure.file("other-ca.pem")),
        ..by_tls(&secure)
    };
    // The certificate has the address, and no name.
    let other_name = Config {
        brokers: vec![secure.by_tls.replace("127.0.0.1", "localhost")],
        ..by_tls(&secure)
    };
    for wrong in [other_authority, other_name] {
        let kafka = start(&wrong, Arc::new(memory::Log::default()));
        let reason = away_because(&kafka, "kafka.ca_file").await;
        assert!(reason.contains("kafka.brokers"), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_how_it_stands() {
    let Some(secure) = Secure::found() else { return };
    let right = by_password(&secure, MECHANISMS[1]);
    let found = doctor(&right).await;
    assert!(
        found.iter().all(|finding| finding.level == Level::Fine),
        "{found:?}"
    );
    assert!(
        found.iter().any(|finding| finding.what.contains("will be made")),
        "{found:?}"
    );

    let metrics = Metrics::new(&prometheus::Registry::new()).expect("a registry of its own");
    let ledger = Arc::new(memory::Log::default());
    let kafka = Kafka::start(&right, &TOPICS, ledger, Arc::new(SystemClock), metrics).expect("settings");
    kafka.connected().await;
    assert_eq!(doctor(&right).await.len(), 1, "they are there, as configured");

    let other = Config {
        retention_hours: 1,
        ..right.clone()
    };
    let found = doctor(&other).await;
    assert!(
        found.iter().any(
            |finding| finding.level == Level::Warning && finding.advice.contains("kafka.retention_hours")
        ),
        "{found:?}"
    );
    let (password, _kept) = wrong_password();
    let wrong = Config {
        sasl_password_file: Some(password),
        ..right
    };
    let found = doctor(&wrong).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].level, Level::Error);
    assert!(found[0].advice.contains("kafka.sasl_password_file"), "{found:?}");
}

/// What it finds of the brokers.
async fn doctor(kafka: &Config) -> Vec<Finding> {
    let mut config = mitalk::config::Config::default();
    config.storage.events = Events::Kafka;
    config.kafka = kafka.clone();
    let found = tokio::task::spawn_blocking(move || examine(&config));
    let mut found = found.await.expect("no panic");
    found.retain(|finding| finding.what.contains("Kafka") || finding.what.contains("topics"));
    found
}
