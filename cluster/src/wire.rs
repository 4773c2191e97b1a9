//! Encoding: MessagePack with named fields, so that two releases read each other.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::entity::DecodeError;

/// MessagePack with named fields.
///
/// # Panics
/// If a type cannot be serialised at all (a map whose keys fail to serialise); memory never fails.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("derived types always serialise into memory")
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// The bytes are not a `T`.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    rmp_serde::from_slice(bytes).map_err(|e| DecodeError(e.to_string()))
}
