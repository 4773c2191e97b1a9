//! The ports of `mitalk-actors`, and those of `mitalk-cluster` that only `mitalk-actors` reads.

use mitalk::sms::{self, Config, Line, Log, Site, Via};
use mitalk_actors::ports::EventKey;
use mitalk_actors::testing::{contract, memory};
use mitalk_tests::provider::{Asked, Provider};
use prometheus::Registry;

use crate::{Fresh, MEMORY_SEEDS, SQLITE_SEEDS, for_seeds};

macro_rules! suites {
    ($($suite:ident over $memory:ident)*) => {$(
        mod $suite {
            use super::*;

            // Its waiting for events takes no time.
            #[tokio::test(start_paused = true)]
            async fn memory() {
                contract::$suite(&memory::$memory::default()).await;
            }

            #[tokio::test]
            async fn sqlite() {
                contract::$suite(&Fresh::new().store).await;
            }

            #[tokio::test(start_paused = true)]
            async fn memory_with_faults() {
                let fresh = || (memory::$memory::default(), ());
                for_seeds(MEMORY_SEEDS, fresh, async |store| contract::$suite(store).await).await;
            }

            #[tokio::test]
            async fn sqlite_with_faults() {
                for_seeds(SQLITE_SEEDS, || Fresh::new().parts(), async |store| contract::$suite(store).await).await;
            }
        }
    )*};
}

suites!(tables over Tables events over Log ledger over Log allow_list over Allowed);

mod push {
    use super::*;
    use mitalk::push::vapid::Keys;
    use mitalk::push::{self, WebPush};
    use mitalk_actors::push::{Subscription, key_id};
    use mitalk_cluster::SystemClock;
    use mitalk_tests::push::{Browser, Manner, PushService};
    use std::sync::Arc;

    /// The adapter, over a push service and a browser that decrypts.
    #[tokio::test]
    async fn web_push() {
        let service = PushService::start().await.unwrap();
        service.set("over", Manner::Answers(410));
        let directory = tempfile::tempdir().unwrap();
        let config = push::Config {
            services: vec![service.origin.clone()],
            ..push::Config::default()
        };
        let keys = Keys::load_or_create(directory.path()).unwrap();
        let (public, browser) = (keys.public().to_owned(), Browser::default());
        let push = WebPush::new(&config, "", keys, Arc::new(SystemClock)).unwrap();
        let at = |name: &str| {
            let (p256dh, auth) = browser.keys();
            Subscription {
                endpoint: service.endpoint(name),
                p256dh,
                auth,
                language: "en".into(),
                made_for: key_id(&public),
            }
        };
        let key = |said: serde_json::Value| EventKey(said["tag"].as_str().unwrap().to_owned());
        let keys = async || {
            let seen = service.seen("alive");
            seen.iter().map(|message| key(message.said(&browser))).collect()
        };
        contract::push(&push, at("alive"), at("over"), keys).await;
    }

    #[tokio::test]
    async fn memory_with_faults() {
        let fresh = || (memory::Pushes::default(), ());
        let [alive, over] = ["alive", "over"].map(memory::Pushes::subscription);
        for_seeds(MEMORY_SEEDS, fresh, async |push| {
            push.port().end(&over);
            let keys = || push.port().sent().into_iter().map(|sent| sent.key).collect();
            contract::push(push, alive.clone(), over.clone(), async || keys()).await;
        })
        .await;
    }
}

mod texts {
    use super::*;

    /// The development adapter, its file standing for the provider.
    fn log() -> (Log, tempfile::TempDir) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = Some(file_in(&directory));
        let config = Config {
            file,
            ..Config::default()
        };
        let log = Log::new(&config).expect("a fresh file opens");
        (log, directory)
    }

    fn file_in(directory: &tempfile::TempDir) -> std::path::PathBuf {
        directory.path().join("sms.jsonl")
    }

    fn keys(directory: &tempfile::TempDir) -> Vec<EventKey> {
        let text = std::fs::read_to_string(file_in(directory)).expect("the adapter wrote it");
        let line = |line| serde_json::from_str::<Line>(line).expect("each line is an object");
        text.lines().map(|text| EventKey(line(text).key)).collect()
    }

    #[tokio::test]
    async fn log_file() {
        let (log, directory) = log();
        contract::sms(&log, async || keys(&directory)).await;
    }

    /// An adapter that sends to `provider`, which keeps each message's key where `key_of` finds it.
    async fn over_http(configure: impl FnOnce(&mut Config, &Provider), key_of: fn(&Asked) -> String) {
        let provider = Provider::start().await.expect("a port is free");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let secret = directory.path().join("secret");
        let text = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        std::fs::write(&secret, text).expect("a fresh file is written");
        let mut config = Config::default();
        config.webhook.secret_file = Some(secret.clone());
        config.http.secret_file = Some(secret);
        configure(&mut config, &provider);
        assert_eq!(config.problem(""), None);
        let metrics = sms::Metrics::new(&Registry::new()).expect("a fresh registry");
        let (adapter, _) = sms::open(&config, Site::default(), &metrics).expect("what it needs is there");
        let keys = async || {
            let all = provider.asked("");
            all.iter().map(|asked| EventKey(key_of(asked))).collect()
        };
        // What it says of a provider that is busy must be that it may go better later.
        provider.answer("", 503);
        contract::sms(&adapter, keys).await;
    }

    #[tokio::test]
    async fn webhook() {
        let configure = |config: &mut Config, provider: &Provider| {
            config.via = Via::Webhook;
            config.webhook.url = provider.url.clone();
        };
        over_http(configure, |asked| asked.header("webhook-id").to_owned()).await;
    }

    #[tokio::test]
    async fn template() {
        let configure = |config: &mut Config, provider: &Provider| {
            config.via = Via::Http;
            config.http.url = provider.url.clone();
            config.http.body = "to={to}&text={text}".to_owned();
            config.http.headers = vec!["Idempotency-Key: {key}".to_owned()];
        };
        over_http(configure, |asked| asked.header("idempotency-key").to_owned()).await;
    }

    #[tokio::test]
    async fn memory_with_faults() {
        let fresh = || (memory::Messages::default(), ());
        let keys = |messages: &memory::Messages| messages.sent().into_iter().map(|sent| sent.key).collect();
        for_seeds(MEMORY_SEEDS, fresh, async |sms| {
            contract::sms(sms, async || keys(sms.port())).await;
        })
        .await;
    }
}
