//! For tests, of this crate and of the service: models that run decisions without a cluster, memory ports, and one contract
//! suite per port that every adapter runs. Only with the feature `testing`.

pub mod contract;
mod faulty;
pub mod memory;
pub mod pure;

use crate::number::PhoneNumber;
use crate::secrets::{KEY_BYTES, Master, Secrets};

/// Fixed keys.
pub fn secrets() -> Secrets {
    let master = Master {
        kid: "test".into(),
        key: [2; KEY_BYTES],
    };
    Secrets::new([1; KEY_BYTES], &[master]).expect("one master is enough")
}

/// The `n`-th of ten million valid numbers.
pub fn number(n: u32) -> PhoneNumber {
    PhoneNumber::parse(&number_text(n)).expect("German mobile numbers of this form are valid")
}

/// The same as text.
pub fn number_text(n: u32) -> String {
    format!("+49151{:08}", 10_000_000 + n)
}
