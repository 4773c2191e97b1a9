//! The event log on Kafka: producer, members of consumer groups, dead letters.
//!
//! | on the wire | what |
//! |---|---|
//! | topic `<prefix>mitalk.invites.v1` and so on | events as CloudEvents, keyed by their entity, so that its events keep their order |
//! | topic `<prefix><topic>.dlq` | dead letters, one partition, compacted |
//! | group `<prefix><group>.<topic>` | the places of a consumer group; what it dealt with is in the [`Ledger`] |
//!
//! Invariants:
//! - nothing is sent before the topics are known to be there, and the producer knows them: brokers must not make them with
//!   settings of their own, and the first send of a producer that never heard of a topic takes a second;
//! - a send ends by itself, after `kafka.message_timeout_ms` at the latest with an unknown outcome, and before the node stops
//!   listening: only so an event that arrived counts as sent, and brokers that do not answer are noticed;
//! - a copy may arrive after that, and after those of a later owner: no lease is as long as a broker may take. It is a repeat,
//!   for that owner began with the rows that it found in the outbox, and receivers drop it by its sequence (rule 12);
//! - while the brokers are away appends are refused at once, as certainly not done, and the outboxes keep the rows;
//! - no call of the library that blocks runs on a worker of the runtime.

mod client;
mod letters;
mod link;
mod member;
mod metrics;
mod reading;
mod record;
mod topics;

pub use client::ConfigError;
pub use letters::LETTERS;
pub use link::State;
pub use metrics::Metrics;
pub use topics::Looked;

use crate::config::Kafka as Config;
use async_trait::async_trait;
use client::Context;
use link::Link;
use member::Member;
use mitalk_actors::ports::{Batch, EventSource, Ledger, Place, Subscription};
use mitalk_cluster::store::{Event, EventLog, StoreError};
use mitalk_cluster::{Clock, SystemClock};
use rdkafka::ClientConfig;
use rdkafka::admin::AdminClient;
use rdkafka::consumer::{BaseConsumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use record::Outbound;
use std::sync::{Arc, Weak};
use std::time::Duration;
use topics::Wanted;

/// Leaving a group takes a moment; a broker that is away is not waited for longer.
const LEAVE: Duration = Duration::from_secs(3);

/// Why a broker turned somebody away is told so long after their call failed, at most.
const HEARD: Duration = Duration::from_secs(3);

type Sender = FutureProducer<Context>;

/// The event log on Kafka. Cheap to clone. Dropping the last one ends its clients.
#[derive(Clone)]
pub struct Kafka(Arc<Inner>);

struct Inner {
    config: Config,
    common: ClientConfig,
    producer: Sender,
    admin: Arc<AdminClient<Context>>,
    link: Arc<Link>,
    ledger: Arc<dyn Ledger>,
    metrics: Metrics,
    topics: Vec<Wanted>,
}

impl Kafka {
    /// Over the brokers of the configuration, with these topics; what groups dealt with is kept in `ledger`. It connects in
    /// the background: [`Kafka::state`] tells.
    ///
    /// # Errors
    /// A file or a setting cannot be used.
    pub fn start(
        config: &Config,
        topics: &[&str],
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> Result<Self, ConfigError> {
        let common = client::common(config)?;
        let link = Arc::new(Link::new(clock, metrics.clone()));
        let context = Context::new(&link, &metrics);
        let producer = client::producer(&common, config).create_with_context(context.clone())?;
        let admin = common.create_with_context(context)?;
        let inner = Arc::new(Inner {
            config: config.clone(),
            common,
            producer,
            admin: Arc::new(admin),
            link,
            ledger,
            metrics,
            topics: topics::wanted(config, topics),
        });
        tokio::spawn(watch(Arc::downgrade(&inner)));
        Ok(Self(inner))
    }

    /// How it stands with the brokers.
    pub fn state(&self) -> State {
        self.0.link.state()
    }

    /// Waits until they answer.
    pub async fn connected(&self) {
        self.0.link.connected().await;
    }

    /// Waits until those who were members of groups have left them, once they are dropped: the next process then gets their
    /// partitions at once.
    pub async fn close(&self) {
        self.0.link.all_left(LEAVE).await;
    }

    /// Appends an event; `again_for`: the only group that it is for.
    pub(crate) async fn append_for(
        &self,
        topic: &str,
        event: &Event,
        again_for: Option<&str>,
    ) -> Result<(), StoreError> {
        self.send(&self.wire_topic(topic), Outbound::event(topic, event, again_for))
            .await
    }

    fn wire_topic(&self, topic: &str) -> String {
        format!("{}{topic}", self.0.config.prefix)
    }

    fn knows(&self, topic: &str) -> bool {
        let name = self.wire_topic(topic);
        self.0.topics.iter().any(|topic| topic.name == name)
    }

    /// Sends and waits until enough brokers have it.
    async fn send(&self, topic: &str, message: Outbound) -> Result<(), StoreError> {
        if let State::Away { reason, .. } = self.state() {
            return self.not_sent(StoreError::Unavailable(reason));
        }
        let mut record = FutureRecord::<String, Vec<u8>>::to(topic)
            .key(&message.key)
            .headers(message.headers);
        record.payload = message.value.as_ref();
        let sent = match self.0.producer.send_result(record) {
            Ok(delivery) => delivery.await,
            Err((error, _)) => return self.failed(error),
        };
        match sent {
            Ok(Ok(_)) => {
                self.0.metrics.produced.with_label_values(&[topic]).inc();
                Ok(())
            }
            Ok(Err((error, _))) => self.failed(error),
            Err(_) => self.not_sent(StoreError::Unknown("the producer ended".into())),
        }
    }

    fn failed(&self, error: KafkaError) -> Result<(), StoreError> {
        self.0.link.look_now();
        self.not_sent(to_store_error(error))
    }

    fn not_sent(&self, error: StoreError) -> Result<(), StoreError> {
        let outcome = match error {
            StoreError::Unknown(_) => "unknown",
            StoreError::Rejected(_) | StoreError::Corrupt(_) => "never",
            StoreError::Unavailable(_) | StoreError::Full(_) => "refused",
        };
        self.0.metrics.failed.with_label_values(&[outcome]).inc();
        Err(error)
    }

    /// What `pick` makes of up to `max` messages behind these places.
    async fn read<T: Send + 'static>(
        &self,
        topic: String,
        after: Vec<Place>,
        max: usize,
        pick: impl Fn(&BorrowedMessage<'_>) -> T + Send + 'static,
    ) -> Result<Vec<T>, StoreError> {
        if let State::Away { reason, .. } = self.state() {
            return Err(StoreError::Unavailable(reason));
        }
        let context = Context::new(&self.0.link, &self.0.metrics);
        let mut config = client::reader(&self.0.common);
        // It joins no group; without a name the library assigns nothing.
        config.set("group.id", self.wire_topic("mitalk.reader"));
        let read = move || {
            let consumer: BaseConsumer<Context> = config.create_with_context(context)?;
            let mut picked = vec![];
            reading::read(&consumer, &topic, &after, max, |message| {
                picked.push(pick(message))
            })?;
            Ok::<_, reading::Error>(picked)
        };
        match tokio::task::spawn_blocking(read).await {
            Ok(read) => read.map_err(|error| StoreError::Unavailable(error.to_string())),
            Err(error) => Err(StoreError::Unavailable(error.to_string())),
        }
    }
}

#[async_trait]
impl EventLog for Kafka {
    async fn append(&self, topic: &str, event: &Event) -> Result<(), StoreError> {
        self.append_for(topic, event, None).await
    }
}

#[async_trait]
impl EventSource for Kafka {
    async fn subscribe(&self, group: &str, topic: &str) -> Result<Box<dyn Subscription>, StoreError> {
        // A member of a topic that is not there yet would hear of it after minutes.
        self.connected().await;
        let wire_topic = self.wire_topic(topic);
        let mut context = Context::new(&self.0.link, &self.0.metrics);
        context.member = Some((group.to_owned(), topic.to_owned()));
        let name = format!("{}{group}.{topic}", self.0.config.prefix);
        let consumer: Result<StreamConsumer<Context>, _> =
            client::member(&self.0.common, &name).create_with_context(context);
        let member = consumer
            .and_then(|consumer| Member::new(consumer, self.0.ledger.clone(), group, topic, wire_topic));
        Ok(Box::new(member.map_err(to_store_error)?))
    }

    async fn browse(&self, topic: &str, after: &[Place], max: usize) -> Result<Batch, StoreError> {
        if !self.knows(topic) {
            return Ok(vec![]);
        }
        let pick = |message: &BorrowedMessage<'_>| record::delivered(message);
        self.read(self.wire_topic(topic), after.to_vec(), max, pick).await
    }
}

/// Asks the brokers how these topics are, and changes nothing. Once, for whoever looks before the service runs.
///
/// # Errors
/// Why they cannot be used.
pub async fn look(config: &Config, topics: &[&str]) -> Result<Looked, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let metrics = Metrics::new(&prometheus::Registry::new()).map_err(|error| text(&error))?;
    let link = Arc::new(Link::new(Arc::new(SystemClock), metrics.clone()));
    let common = client::common(config).map_err(|error| text(&error))?;
    let context = Context::new(&link, &metrics);
    // An admin client does not hear why it is turned away, a producer does.
    let listener: Result<Sender, _> = client::producer(&common, config).create_with_context(context.clone());
    let _listener = listener.map_err(|error| text(&error))?;
    let admin = common.create_with_context(context);
    let admin = Arc::new(admin.map_err(|error| text(&error))?);
    match topics::look(&admin, &topics::wanted(config, topics)).await {
        Ok(looked) => Ok(looked),
        Err(reason) => {
            link.heard(HEARD).await;
            Err(link.explained(reason))
        }
    }
}

/// Looks after the brokers as long as somebody has a handle.
async fn watch(inner: Weak<Inner>) {
    while let Some(inner) = inner.upgrade() {
        let looked = match inner.link.state() {
            State::Connected { mismatches } => inner.beat().await.map(|()| mismatches),
            State::Away { .. } => inner.connect().await,
        };
        match looked {
            Ok(mismatches) => inner.link.answered(mismatches),
            Err(reason) => inner.link.failed(reason),
        }
        let link = inner.link.clone();
        drop(inner);
        link.next_look().await;
    }
}

impl Inner {
    /// Makes or compares the topics, and lets the producer know them.
    async fn connect(&self) -> Result<Vec<String>, String> {
        let mismatches = topics::ensure(&self.admin, &self.topics).await?;
        self.learn(self.topics.iter().map(|topic| topic.name.clone()).collect())
            .await?;
        Ok(mismatches)
    }

    async fn beat(&self) -> Result<(), String> {
        let one = self.topics.iter().take(1);
        self.learn(one.map(|topic| topic.name.clone()).collect()).await
    }

    async fn learn(&self, topics: Vec<String>) -> Result<(), String> {
        let producer = self.producer.clone();
        let learn = move || {
            let mut topics = topics.iter();
            topics.try_for_each(|topic| {
                producer
                    .client()
                    .fetch_metadata(Some(topic), topics::ANSWER)
                    .map(drop)
            })
        };
        let learnt = tokio::task::spawn_blocking(learn).await;
        let learnt = learnt.map_err(|error| error.to_string())?;
        learnt.map_err(|error| format!("no broker answers: {error}"))
    }
}

/// What an error of the library means for whoever asked.
fn to_store_error(error: KafkaError) -> StoreError {
    use RDKafkaErrorCode as Code;
    let text = error.to_string();
    match (&error, error.rdkafka_error_code()) {
        (_, Some(Code::MessageSizeTooLarge | Code::InvalidMessageSize)) => {
            StoreError::Rejected(format!("larger than the brokers take: {text}"))
        }
        (
            _,
            Some(
                Code::TopicAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::GroupAuthorizationFailed,
            ),
        ) => StoreError::Rejected(format!("this client may not do it: {text}")),
        (
            _,
            Some(
                Code::QueueFull
                | Code::UnknownTopic
                | Code::UnknownTopicOrPartition
                | Code::NotEnoughReplicas,
            ),
        ) => StoreError::Unavailable(text),
        // 46 of 128 that had timed out were in the topic.
        (KafkaError::MessageProduction(_), _) => StoreError::Unknown(text),
        _ => StoreError::Unavailable(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_certainly_was_not_written_is_called_so() {
        let of = |code| to_store_error(KafkaError::MessageProduction(code));
        assert!(of(RDKafkaErrorCode::MessageTimedOut).is_unknown());
        assert!(of(RDKafkaErrorCode::NotEnoughReplicasAfterAppend).is_unknown());
        assert!(of(RDKafkaErrorCode::Fatal).is_unknown());
        assert!(matches!(
            of(RDKafkaErrorCode::QueueFull),
            StoreError::Unavailable(_)
        ));
        assert!(matches!(
            of(RDKafkaErrorCode::MessageSizeTooLarge),
            StoreError::Rejected(_)
        ));
        assert!(matches!(
            of(RDKafkaErrorCode::TopicAuthorizationFailed),
            StoreError::Rejected(_)
        ));
    }
}
