//! The operator's allow-list: numbers by keyed hash, registered, and enabled or not.

use crate::number::PhoneKey;
use async_trait::async_trait;
use mitalk_cluster::StoreError;

/// A registered number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowEntry {
    /// Whose.
    pub phone: PhoneKey,
    /// Only enabled ones are let in.
    pub enabled: bool,
}

/// The allow-list as rows. Operators write it; sign-up reads one row.
#[async_trait]
pub trait AllowList: Send + Sync + 'static {
    /// Registers numbers, or changes whether they are enabled; the last of equal numbers counts. A failure may leave some of
    /// them registered: repeat the same until it succeeds.
    async fn import(&self, entries: &[AllowEntry]) -> Result<(), StoreError>;
    /// Whether the number is registered, and if so whether it is enabled.
    async fn find(&self, phone: &PhoneKey) -> Result<Option<AllowEntry>, StoreError>;
    /// Forgets a number; false if it was not registered.
    async fn remove(&self, phone: &PhoneKey) -> Result<bool, StoreError>;
    /// Registered numbers, and how many of them are enabled.
    async fn count(&self) -> Result<(u64, u64), StoreError>;
}
