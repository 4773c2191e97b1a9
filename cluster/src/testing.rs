//! For tests of this crate and of those above it: a memory store, a wrapper that fails, a clock, contract suites.

mod clock;
pub mod contract;
mod faulty;
mod memory;
mod seed;

pub use clock::TestClock;
pub use faulty::Faulty;
pub use memory::{Content, Memory};
pub use seed::{changed, first};
