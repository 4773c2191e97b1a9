//! Where the state of the service lives: the adapters behind the store ports of `mitalk-cluster` and `mitalk-actors`.
//!
//! [`sqlite`] is one file for one process; [`scylla`] is a CQL cluster for many nodes. One function of the composition
//! root chooses between them; nothing outside this module names a database.

pub mod row;
pub mod scylla;
pub mod sqlite;

/// What a database says of the lookup key that it was written with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrittenWith {
    /// Nothing was written yet: any key will do.
    Nothing,
    /// By a release that did not note it.
    Unknown,
    /// The key of this fingerprint.
    Key(Vec<u8>),
}
