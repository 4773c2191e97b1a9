//! The ports of `mitalk-actors`, and those of `mitalk-cluster` that only `mitalk-actors` reads.

use mitalk::sms::{self, Config, Counted, Line, Log, Site, Via};
use mitalk_actors::ports::{EventKey, Push};
use mitalk_actors::testing::{contract, memory};
use mitalk_cluster::testing::Faulty;
use mitalk_tests::provider::{Asked, Provider};
use prometheus::Registry;

use crate::{FAULTS, Fresh, MEMORY_SEEDS, SQLITE_SEEDS, for_seed, for_seeds};

/// Seeds per suite over an adapter that sends by HTTP or writes a file.
const SEEDS: u64 = 5;

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
    struct Real {
        service: PushService,
        browser: Browser,
        /// The server's, as browsers know it.
        public: String,
        _directory: tempfile::TempDir,
    }

    impl Real {
        async fn start() -> (WebPush, Self) {
            let service = PushService::start().await.expect("a port is free");
            service.set("over", Manner::Answers(410));
            let directory = tempfile::tempdir().expect("a temporary directory");
            let config = push::Config {
                services: vec![service.origin.clone()],
                ..push::Config::default()
            };
            let keys = Keys::load_or_create(directory.path()).expect("a directory of its own");
            let real = Self {
                service,
                browser: Browser::default(),
                public: keys.public().to_owned(),
                _directory: directory,
            };
            let push = WebPush::new(&config, "", keys, Arc::new(SystemClock)).expect("the settings are fine");
            (push, real)
        }

        fn at(&self, name: &str) -> Subscription {
            let (p256dh, auth) = self.browser.keys();
            Subscription {
                endpoint: self.service.endpoint(name),
                p256dh,
                auth,
                language: "en".into(),
                made_for: key_id(&self.public),
            }
        }

        fn keys(&self) -> Vec<EventKey> {
            let key = |said: serde_json::Value| EventKey(said["tag"].as_str().expect("a tag").to_owned());
            let seen = self.service.seen("alive");
            seen.iter()
                .map(|message| key(message.said(&self.browser)))
                .collect()
        }

        async fn suite(&self, push: &impl Push) {
            contract::push(push, self.at("alive"), self.at("over"), async || self.keys()).await;
        }
    }

    #[tokio::test]
    async fn web_push() {
        let (push, real) = Real::start().await;
        real.suite(&push).await;
    }

    #[tokio::test]
    async fn web_push_with_faults() {
        for seed in 0..SEEDS {
            let (push, real) = Real::start().await;
            let faulty = Faulty::new(push, seed, FAULTS);
            for_seed(seed, async || real.suite(&faulty).await).await;
        }
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

    #[tokio::test]
    async fn log_file_with_faults() {
        for seed in 0..SEEDS {
            let (log, directory) = log();
            let faulty = Faulty::new(log, seed, FAULTS);
            for_seed(seed, async || {
                contract::sms(&faulty, async || keys(&directory)).await
            })
            .await;
        }
    }

    type Configure = fn(&mut Config, &Provider);
    type KeyOf = fn(&Asked) -> String;

    /// An adapter that sends to `provider`, and what it needs to.
    async fn over_http(configure: Configure) -> (Counted, Provider, tempfile::TempDir) {
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
        // What the adapter says of a provider that is busy must be that it may go better later.
        provider.answer("", 503);
        (adapter, provider, directory)
    }

    /// A provider keeps each message's key where `key_of` finds it.
    fn keys_at(provider: &Provider, key_of: KeyOf) -> Vec<EventKey> {
        let all = provider.asked("");
        all.iter().map(|asked| EventKey(key_of(asked))).collect()
    }

    async fn suite(configure: Configure, key_of: KeyOf) {
        let (adapter, provider, _directory) = over_http(configure).await;
        contract::sms(&adapter, async || keys_at(&provider, key_of)).await;
    }

    async fn suite_with_faults(configure: Configure, key_of: KeyOf) {
        for seed in 0..SEEDS {
            let (adapter, provider, _directory) = over_http(configure).await;
            let faulty = Faulty::new(adapter, seed, FAULTS);
            let keys = async || keys_at(&provider, key_of);
            for_seed(seed, async || contract::sms(&faulty, keys).await).await;
        }
    }

    fn by_webhook(config: &mut Config, provider: &Provider) {
        config.via = Via::Webhook;
        config.webhook.url = provider.url.clone();
    }

    fn id_of_webhook(asked: &Asked) -> String {
        asked.header("webhook-id").to_owned()
    }

    fn by_template(config: &mut Config, provider: &Provider) {
        config.via = Via::Http;
        config.http.url = provider.url.clone();
        config.http.body = "to={to}&text={text}".to_owned();
        config.http.headers = vec!["Idempotency-Key: {key}".to_owned()];
    }

    fn key_of_template(asked: &Asked) -> String {
        asked.header("idempotency-key").to_owned()
    }

    #[tokio::test]
    async fn webhook() {
        suite(by_webhook, id_of_webhook).await;
    }

    #[tokio::test]
    async fn webhook_with_faults() {
        suite_with_faults(by_webhook, id_of_webhook).await;
    }

    #[tokio::test]
    async fn template() {
        suite(by_template, key_of_template).await;
    }

    #[tokio::test]
    async fn template_with_faults() {
        suite_with_faults(by_template, key_of_template).await;
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
