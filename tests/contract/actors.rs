//! The ports of `mitalk-actors`, and those of `mitalk-cluster` that only `mitalk-actors` reads.

use mitalk::sms::{Config, Line, Log};
use mitalk_actors::ports::EventKey;
use mitalk_actors::testing::{contract, memory};

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

mod sms {
    use super::*;

    /// The development adapter, its file standing for the provider.
    fn log() -> (Log, tempfile::TempDir) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = Some(file_in(&directory));
        let log = Log::new(&Config { file }).expect("a fresh file opens");
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
    async fn memory_with_faults() {
        let fresh = || (memory::Messages::default(), ());
        let keys = |messages: &memory::Messages| messages.sent().into_iter().map(|sent| sent.key).collect();
        for_seeds(MEMORY_SEEDS, fresh, async |sms| {
            contract::sms(sms, async || keys(sms.port())).await;
        })
        .await;
    }
}
