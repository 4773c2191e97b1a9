//! The ports of `mitalk-actors`, and those of `mitalk-cluster` that only `mitalk-actors` reads.

use mitalk_actors::testing::{contract, memory};

use crate::{Fresh, MEMORY_SEEDS, SQLITE_SEEDS, for_seeds};

macro_rules! suites {
    ($($suite:ident over $memory:ident)*) => {$(
        mod $suite {
            use super::*;

            #[tokio::test]
            async fn memory() {
                contract::$suite(&memory::$memory::default()).await;
            }

            #[tokio::test]
            async fn sqlite() {
                contract::$suite(&Fresh::new().store).await;
            }

            #[tokio::test]
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

suites!(tables over Tables events over Log allow_list over Allowed);
