//! Topics: made where they are missing, else compared with the configuration. A difference is explained and changes nothing:
//! only an operator can know which of the two is right.

use crate::config::Kafka as Config;
use mitalk_actors::events::{AUDIT, DEAD_LETTERS};
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::ClientContext;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::{Metadata, MetadataTopic};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A broker that has not answered after so long is away.
pub(super) const ANSWER: Duration = Duration::from_secs(5);
/// Making topics takes longer.
const MAKING: Duration = Duration::from_secs(15);
const RETENTION: &str = "retention.ms";
const RETENTION_BYTES: &str = "retention.bytes";
/// Of both.
const FOR_EVER: &str = "-1";
const MIN_ISR: &str = "min.insync.replicas";
const CLEANUP: &str = "cleanup.policy";

/// Dead letters that ended go when their segment is closed and a part of the topic that is not compacted: small topics would
/// otherwise keep them for a week.
const SEGMENT: (&str, &str) = ("segment.ms", "86400000");
const DIRTY: (&str, &str) = ("min.cleanable.dirty.ratio", "0.1");

/// A topic as it should be.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) name: String,
    partitions: u32,
    replication: u32,
    settings: Vec<(&'static str, String)>,
}

/// How the topics are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// Those that are not there.
    pub missing: Vec<String>,
    /// What is not as configured, explained.
    pub mismatches: Vec<String>,
}

/// All topics with their dead letters.
pub(super) fn wanted(config: &Config, topics: &[&str]) -> Vec<Wanted> {
    let topic = |topic: &&str| Wanted {
        name: format!("{}{topic}", config.prefix),
        partitions: config.partitions,
        replication: config.replication,
        settings: [
            (CLEANUP, "delete".to_owned()),
            (MIN_ISR, config.min_isr.to_string()),
        ]
        .into_iter()
        .chain(retention(config, topic))
        .collect(),
    };
    // Compacted by their names: a letter stays until it is removed.
    let letters = |topic: &&str| Wanted {
        name: dead_letters(config, topic),
        partitions: 1,
        replication: config.replication,
        settings: vec![
            (CLEANUP, "compact".to_owned()),
            (MIN_ISR, config.min_isr.to_string()),
            (SEGMENT.0, SEGMENT.1.to_owned()),
            (DIRTY.0, DIRTY.1.to_owned()),
        ],
    };
    topics
        .iter()
        .map(topic)
        .chain(topics.iter().map(letters))
        .collect()
}

/// How long a topic's events are kept. The audit stays, unless the configuration says otherwise.
fn retention(config: &Config, topic: &str) -> Vec<(&'static str, String)> {
    let kept = match topic {
        AUDIT => config.audit_retention(),
        _ => Some(config.retention()),
    };
    match kept {
        Some(kept) => vec![(RETENTION, kept.as_millis().to_string())],
        None => vec![
            (RETENTION, FOR_EVER.to_owned()),
            (RETENTION_BYTES, FOR_EVER.to_owned()),
        ],
    }
}

/// The name of a topic's dead letters.
pub(super) fn dead_letters(config: &Config, topic: &str) -> String {
    format!("{}{topic}{DEAD_LETTERS}", config.prefix)
}

/// Makes what is missing; what is there and not as it should be.
pub(super) async fn ensure<C: ClientContext + 'static>(
    admin: &Arc<AdminClient<C>>,
    wanted: &[Wanted],
) -> Result<Vec<String>, String> {
    let known = metadata(admin).await?;
    let missing: Vec<&Wanted> = wanted
        .iter()
        .filter(|topic| find(&known, topic).is_none())
        .collect();
    let known = if missing.is_empty() {
        known
    } else {
        make(admin, &missing, known.brokers().len()).await?;
        metadata(admin).await?
    };
    let there: Vec<&Wanted> = wanted.iter().collect();
    if let Some(topic) = there.iter().find(|topic| find(&known, topic).is_none()) {
        return Err(format!("the topic {} is being made", topic.name));
    }
    differences(admin, &known, &there).await
}

/// What is missing, and what is there and not as it should be; makes nothing.
pub(super) async fn look<C: ClientContext + 'static>(
    admin: &Arc<AdminClient<C>>,
    wanted: &[Wanted],
) -> Result<Looked, String> {
    let known = metadata(admin).await?;
    let (there, missing): (Vec<&Wanted>, Vec<&Wanted>) =
        wanted.iter().partition(|topic| find(&known, topic).is_some());
    let mismatches = if there.is_empty() {
        vec![]
    } else {
        differences(admin, &known, &there).await?
    };
    let missing = missing.into_iter().map(|topic| topic.name.clone()).collect();
    Ok(Looked { missing, mismatches })
}

async fn differences<C: ClientContext>(
    admin: &AdminClient<C>,
    known: &Metadata,
    there: &[&Wanted],
) -> Result<Vec<String>, String> {
    let settings = settings(admin, there).await?;
    let mut mismatches = vec![];
    for topic in there {
        if let Some(found) = find(known, topic) {
            shape(topic, found, &mut mismatches);
        }
        compare(topic, settings.get(&topic.name), &mut mismatches);
    }
    Ok(mismatches)
}

async fn metadata<C: ClientContext + 'static>(admin: &Arc<AdminClient<C>>) -> Result<Metadata, String> {
    let admin = admin.clone();
    // It blocks until a broker answers.
    let fetched = tokio::task::spawn_blocking(move || admin.inner().fetch_metadata(None, ANSWER));
    let fetched = fetched.await.map_err(|error| error.to_string())?;
    fetched.map_err(|error| format!("no broker answers: {error}"))
}

fn find<'a>(metadata: &'a Metadata, topic: &Wanted) -> Option<&'a MetadataTopic> {
    let mut topics = metadata.topics().iter();
    topics.find(|found| found.name() == topic.name && !found.partitions().is_empty())
}

async fn make<C: ClientContext>(
    admin: &AdminClient<C>,
    missing: &[&Wanted],
    brokers: usize,
) -> Result<(), String> {
    let new = missing.iter().map(|topic| {
        let replication = TopicReplication::Fixed(i32::try_from(topic.replication).unwrap_or(i32::MAX));
        let partitions = i32::try_from(topic.partitions).unwrap_or(i32::MAX);
        let new = NewTopic::new(&topic.name, partitions, replication);
        topic
            .settings
            .iter()
            .fold(new, |new, (key, value)| new.set(key, value))
    });
    let new: Vec<NewTopic<'_>> = new.collect();
    let options = AdminOptions::new()
        .request_timeout(Some(MAKING))
        .operation_timeout(Some(MAKING));
    let made = admin.create_topics(&new, &options).await;
    for outcome in made.map_err(|error| format!("topics cannot be made: {error}"))? {
        match outcome {
            // Another node was faster.
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, RDKafkaErrorCode::InvalidReplicationFactor)) => {
                return Err(format!(
                    "the topic {topic} cannot be made with kafka.replication copies: there are {brokers} brokers; set it to \
                     at most that, and kafka.min_isr below it"
                ));
            }
            Err((topic, error)) => return Err(format!("the topic {topic} cannot be made: {error}")),
        }
    }
    Ok(())
}

type Settings = HashMap<String, HashMap<String, String>>;

async fn settings<C: ClientContext>(admin: &AdminClient<C>, wanted: &[&Wanted]) -> Result<Settings, String> {
    let asked: Vec<_> = wanted
        .iter()
        .map(|topic| ResourceSpecifier::Topic(&topic.name))
        .collect();
    let options = AdminOptions::new().request_timeout(Some(ANSWER));
    let answers = admin
        .describe_configs(&asked, &options)
        .await
        .map_err(|error| format!("settings of topics cannot be read: {error}"))?;
    // What was not told is missed by whoever compares.
    let known = answers.into_iter().flatten().map(|resource: ConfigResource| {
        let name = match resource.specifier {
            rdkafka::admin::OwnedResourceSpecifier::Topic(name) => name,
            _ => String::new(),
        };
        let entries = resource.entries.into_iter();
        let entries = entries.filter_map(|entry| Some((entry.name, entry.value?)));
        (name, entries.collect())
    });
    Ok(known.collect())
}

fn shape(topic: &Wanted, found: &MetadataTopic, mismatches: &mut Vec<String>) {
    let (name, partitions) = (&topic.name, found.partitions().len());
    if partitions != topic.partitions as usize {
        mismatches.push(format!(
            "the topic {name} has {partitions} partitions, kafka.partitions asks for {}: an entity's events keep their order \
             only while that number stays, so set kafka.partitions = {partitions}",
            topic.partitions
        ));
    }
    let copies = found
        .partitions()
        .iter()
        .map(|partition| partition.replicas().len());
    let copies = copies.min().unwrap_or_default();
    if copies != topic.replication as usize {
        mismatches.push(format!(
            "the topic {name} has {copies} copies, kafka.replication asks for {}: reassign its partitions to more or fewer \
             brokers, or set kafka.replication = {copies}",
            topic.replication
        ));
    }
}

fn compare(topic: &Wanted, found: Option<&HashMap<String, String>>, mismatches: &mut Vec<String>) {
    // To a client that may not ask the brokers tell nothing, and the library no error.
    let Some(found) = found.filter(|found| !found.is_empty()) else {
        mismatches.push(format!(
            "the settings of the topic {} cannot be read, so nobody knows whether they are as configured: allow this client \
             DescribeConfigs on it",
            topic.name
        ));
        return;
    };
    for (key, wanted) in &topic.settings {
        let found = found.get(*key).map_or("nothing", String::as_str);
        if found != wanted {
            let ours = match *key {
                RETENTION if topic.name.ends_with(AUDIT) => ", or set kafka.audit_retention_hours",
                RETENTION => ", or set kafka.retention_hours",
                MIN_ISR => ", or set kafka.min_isr",
                _ => "",
            };
            mismatches.push(format!(
                "the topic {} has {key}={found}, the configuration asks for {wanted}: alter the topic{ours}",
                topic.name
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mitalk_actors::events::TOPICS;

    /// What is asked for, by topic and key.
    fn asked(config: &Config, topic: &str, key: &str) -> Option<String> {
        let wanted = wanted(config, &TOPICS);
        let topic = wanted
            .into_iter()
            .find(|wanted| wanted.name == topic)
            .expect("a topic of ours");
        let found = topic.settings.into_iter().find(|(name, _)| *name == key);
        found.map(|(_, value)| value)
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_what_was_asked_for() {
        let wanted = wanted(&Config::default(), &[AUDIT]);
        let told = |found: Option<HashMap<String, String>>| {
            let mut mismatches = vec![];
            compare(&wanted[0], found.as_ref(), &mut mismatches);
            mismatches
        };
        let as_asked = wanted[0].settings.iter().cloned();
        let as_asked: HashMap<String, String> =
            as_asked.map(|(key, value)| (key.to_owned(), value)).collect();
        assert_eq!(told(Some(as_asked.clone())), Vec::<String>::new());
        for silent in [None, Some(HashMap::new())] {
            assert!(told(silent)[0].contains("cannot be read"));
        }
        let mut lacking = as_asked;
        lacking.remove(RETENTION);
        assert!(told(Some(lacking))[0].contains("retention.ms=nothing"));
    }

    #[test]
    fn the_audit_stays_and_other_events_go() {
        let config = Config::default();
        let week = Some((7 * 24 * 3_600_000_u64).to_string());
        for topic in TOPICS {
            let expected = if topic == AUDIT {
                Some(FOR_EVER.to_owned())
            } else {
                week.clone()
            };
            assert_eq!(asked(&config, topic, RETENTION), expected, "{topic}");
        }
        assert_eq!(asked(&config, AUDIT, RETENTION_BYTES).as_deref(), Some(FOR_EVER));
        let trimmed = Config {
            audit_retention_hours: 1,
            ..config
        };
        assert_eq!(asked(&trimmed, AUDIT, RETENTION).as_deref(), Some("3600000"));
    }
}
