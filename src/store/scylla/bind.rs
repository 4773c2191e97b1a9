//! Values for statements. A batch has rows of different shapes, so all values are of one type.

use mitalk_cluster::{Epoch, Hour, ShardId, Timestamp, WriteId};
use scylla::value::CqlValue;

/// The values of one statement, in the order of its question marks.
pub(super) type Values = Vec<Option<CqlValue>>;

/// What a column can hold.
pub(super) trait Bind {
    /// As CQL sees it; nothing is null.
    fn bind(self) -> Option<CqlValue>;
}

/// The values of one statement.
macro_rules! bind {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::scylla::bind::Bind::bind($value)),*] };
}
pub(super) use bind;

macro_rules! binds {
    ($($of:ty: $value:ident => $cql:expr;)*) => {$(
        impl Bind for $of {
            fn bind(self) -> Option<CqlValue> {
                let $value = self;
                Some($cql)
            }
        }
    )*};
}

binds! {
    &str: value => CqlValue::Text(value.to_owned());
    String: value => CqlValue::Text(value);
    bool: value => CqlValue::Boolean(value);
    i32: value => CqlValue::Int(value);
    u64: value => CqlValue::BigInt(integer(value));
    &[u8]: value => CqlValue::Blob(value.to_vec());
    Vec<u8>: value => CqlValue::Blob(value);
    Vec<String>: value => CqlValue::List(value.into_iter().map(CqlValue::Text).collect());
    Vec<i32>: value => CqlValue::List(value.into_iter().map(CqlValue::Int).collect());
    WriteId: value => CqlValue::Blob(value.0.to_be_bytes().to_vec());
    Epoch: value => CqlValue::BigInt(integer(value.0));
    Timestamp: value => CqlValue::BigInt(integer(value.0));
    Hour: value => CqlValue::BigInt(integer(value.0));
    ShardId: value => CqlValue::Int(i32::from(value.0));
}

impl<T: Bind> Bind for Option<T> {
    fn bind(self) -> Option<CqlValue> {
        self.and_then(T::bind)
    }
}

/// CQL's integers are signed. Counters and times never come near the sign, but `u64::MAX` is how code says "no bound":
/// numbers saturate, and order is kept.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// At most that many rows.
pub(super) fn limit(rows: usize) -> i32 {
    i32::try_from(rows).unwrap_or(i32::MAX)
}
