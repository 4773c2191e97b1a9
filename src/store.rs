//! Where the state of the service lives: the adapters behind the store ports of `mitalk-cluster` and `mitalk-actors`.
//!
//! One adapter so far, [`sqlite`]: one file, one process. Stores of many nodes stand beside it later and are chosen
//! in the composition root; nothing outside this module names a database.

pub mod sqlite;
