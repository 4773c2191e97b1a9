//! A whole node over memory, and what tests do with it.

use mitalk_actors::auth::Verify;
use mitalk_actors::id::Home;
use mitalk_actors::mitalk::Parts;
use mitalk_actors::person::{Me, Standing};
use mitalk_actors::phase::Admits;
use mitalk_actors::ports::Message;
use mitalk_actors::testing::memory::{Allowed, Log, Messages, Pushes, Tables};
use mitalk_actors::testing::{number, number_text, secrets};
use mitalk_actors::{Caller, Limits, Mitalk, Stranger, auth, rooms};
use mitalk_cluster::testing::{Memory, TestClock};
use mitalk_cluster::{Builder, Call, Clock, Config, Metrics, Ports, RequestId, Timestamp, Trace};
use prometheus::Registry;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const DEADLINE: Duration = Duration::from_secs(5);
/// A condition that does not hold after so much virtual time never will.
const PATIENCE: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(20);

/// What outlives a node.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) memory: Memory,
    pub(crate) tables: Arc<Tables>,
    pub(crate) log: Arc<Log>,
    pub(crate) allowed: Arc<Allowed>,
    pub(crate) messages: Arc<Messages>,
    pub(crate) pushes: Arc<Pushes>,
    clock: Arc<TestClock>,
}

pub(crate) struct World {
    pub(crate) mitalk: Mitalk,
    pub(crate) stores: Stores,
    _media: mitalk_media::Engine,
}

/// Limits for tests: nobody waits for another code, and there are addresses enough.
pub(crate) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.codes.resend_after_s = 0;
    limits.codes.per_address_and_hour = 10_000;
    limits.codes.per_block_and_day = 10_000;
    limits.waitlist.position_cache_ms = 0;
    limits
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(limits()).await
    }

    pub(crate) async fn start_with(limits: Limits) -> Self {
        let stores = Stores {
            memory: Memory::exclusive(),
            tables: Arc::default(),
            log: Arc::default(),
            allowed: Arc::default(),
            messages: Arc::default(),
            pushes: Arc::default(),
            clock: Arc::new(TestClock::new(Timestamp(1_800_000_000_000))),
        };
        Self::start_over(stores, limits).await
    }

    /// A node over what another one left behind.
    pub(crate) async fn start_over(stores: Stores, limits: Limits) -> Self {
        let ports = Ports {
            events: stores.log.clone(),
            tables: stores.tables.clone(),
            ..stores.memory.ports()
        };
        let bind = vec!["127.0.0.1:0".parse().unwrap()];
        let config = mitalk_media::Config {
            bind,
            ..mitalk_media::Config::default()
        };
        let metrics = mitalk_media::Metrics::register(&Registry::new()).unwrap();
        let (engine, events) = mitalk_media::Engine::start(config, metrics).unwrap();
        let metrics = Metrics::new(&Registry::new()).unwrap();
        let parts = Parts {
            cluster: Builder::new(Config::default(), ports, stores.clock.clone(), metrics),
            clock: stores.clock.clone(),
            reads: stores.tables.clone(),
            allow_list: stores.allowed.clone(),
            sms: stores.messages.clone(),
            push: stores.pushes.clone(),
            source: stores.log.clone(),
            letters: stores.log.clone(),
            media: (engine.handle(), events),
            metrics: rooms::Metrics::default(),
            limits,
            secrets: secrets(),
            home: Home::default(),
            homes: vec![Home::default()],
        };
        let mitalk = Mitalk::start(parts).await.unwrap();
        assert!(mitalk.cluster().ready().await);
        Self {
            mitalk,
            stores,
            _media: engine,
        }
    }

    /// Stops the node and starts another one over the same stores.
    pub(crate) async fn restart(self) -> Self {
        let stores = self.stores.clone();
        self.mitalk.stop().await;
        Self::start_over(stores, limits()).await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.stores.clock.wall()
    }

    pub(crate) async fn phase(&self, phase: Admits) {
        self.mitalk.set_phase(call(), phase).await.unwrap();
    }

    /// Asks for a code and gives it back.
    pub(crate) async fn code(&self, n: u32) -> String {
        let codes = |message: &mitalk_actors::ports::SmsMessage| {
            message.to == number(n) && matches!(message.message, Message::Code { .. })
        };
        let before = self
            .stores
            .messages
            .sent()
            .iter()
            .filter(|message| codes(message))
            .count();
        self.mitalk.send_code(&stranger(), &number_text(n)).await.unwrap();
        self.stores.messages.code(&number(n), before + 1).await
    }

    /// Signs the owner of the `n`-th number in.
    pub(crate) async fn sign_in(&self, n: u32) -> Caller {
        self.sign_in_with(n, None).await.unwrap()
    }

    pub(crate) async fn sign_in_with(&self, n: u32, invite: Option<&str>) -> Result<Caller, auth::Error> {
        let code = self.code(n).await;
        let verify = Verify {
            phone: number_text(n),
            code,
            device_name: Some("test".into()),
            invite: invite.map(str::to_owned),
        };
        let signed_in = self.mitalk.verify(&stranger(), verify).await?;
        Ok(caller(&signed_in.verified))
    }

    /// Signs in whom the allow-list lets in.
    pub(crate) async fn active(&self, n: u32) -> Caller {
        let number = mitalk_actors::operator::AllowedNumber {
            phone: number_text(n),
            enabled: true,
        };
        self.mitalk.import_allow_list(call(), &[number]).await.unwrap();
        let caller = self.sign_in(n).await;
        assert_eq!(caller.standing, Standing::Active);
        caller
    }

    pub(crate) async fn me(&self, caller: &Caller) -> Me {
        self.mitalk.me(caller).await.unwrap()
    }
}

pub(crate) fn stranger() -> Stranger {
    Stranger {
        language: None,
        address: IpAddr::from([192, 0, 2, 1]),
        deadline: DEADLINE,
        trace: Trace::default(),
    }
}

pub(crate) fn call() -> Call {
    Call::within(DEADLINE)
}

pub(crate) fn caller(verified: &auth::Verified) -> Caller {
    Caller {
        user: verified.user,
        device: verified.device,
        standing: verified.standing,
        request: None,
        deadline: DEADLINE,
        trace: Trace::default(),
    }
}

/// The same caller, with an Idempotency-Key.
pub(crate) fn keyed(caller: &Caller, key: u8) -> Caller {
    Caller {
        request: Some(RequestId([key; 16])),
        ..caller.clone()
    }
}

/// Waits, in virtual time, until the condition holds.
pub(crate) async fn until<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(held) = condition().await {
                return held;
            }
            tokio::time::sleep(LOOK).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never: {what}"))
}
