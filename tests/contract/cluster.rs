//! The ports of `mitalk-cluster`.

use mitalk_cluster::testing::{Memory, contract};

use crate::{Fresh, MEMORY_SEEDS, SQLITE_SEEDS, for_seeds};

macro_rules! suites {
    ($($suite:ident)*) => {$(
        mod $suite {
            use super::*;

            #[tokio::test]
            async fn memory() {
                contract::$suite(&Memory::new()).await;
            }

            #[tokio::test]
            async fn sqlite() {
                contract::$suite(&Fresh::new().store).await;
            }

            #[tokio::test]
            async fn memory_with_faults() {
                for_seeds(MEMORY_SEEDS, || (Memory::new(), ()), async |store| contract::$suite(store).await).await;
            }

            #[tokio::test]
            async fn sqlite_with_faults() {
                for_seeds(SQLITE_SEEDS, || Fresh::new().parts(), async |store| contract::$suite(store).await).await;
            }
        }
    )*};
}

suites!(lease entity timer);
