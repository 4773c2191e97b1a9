//! Trying a write again until it is there: an unknown outcome is settled by the identical write.

use mitalk_cluster::store::StoreError;
use std::time::Duration;
use tokio::time::Instant;

/// After so long without a success of this one write it is given up.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LAST_WAIT: Duration = Duration::from_secs(5);

/// Repeats `act` as long as another try may help.
///
/// # Errors
/// The last one.
pub(super) async fn insist<T, F: Future<Output = Result<T, StoreError>>>(
    act: impl Fn() -> F,
) -> Result<T, StoreError> {
    let (began, mut wait) = (Instant::now(), FIRST_WAIT);
    loop {
        let error = match act().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let helps = matches!(
            error,
            StoreError::Unavailable(_) | StoreError::Unknown(_) | StoreError::Full(_)
        );
        if !helps || began.elapsed() > PATIENCE {
            return Err(error);
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LAST_WAIT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_again_and_nothing_else() {
        let tries = Cell::new(0);
        let act = |until: u32, error: StoreError| {
            tries.set(tries.get() + 1);
            std::future::ready(if tries.get() < until {
                Err(error)
            } else {
                Ok(tries.get())
            })
        };
        let unknown = || StoreError::Unknown(String::new());
        assert_eq!(insist(|| act(4, unknown())).await.unwrap(), 4);
        tries.set(0);
        let corrupt = || StoreError::Corrupt(String::new());
        assert!(insist(|| act(4, corrupt())).await.is_err());
        assert_eq!(tries.get(), 1);
        tries.set(0);
        assert!(insist(|| act(u32::MAX, unknown())).await.is_err(), "not for ever");
    }
}
