//! What can go wrong between here and the cluster, and what a caller may conclude from it.
//!
//! The protocol rests on one distinction: *certainly not applied* against *unknown*. A time-out, a broken connection and
//! nearly everything that a server answers to a write are unknown: a coordinator that gives up may have reached
//! replicas, and a Paxos round that it left half done is finished by whoever comes next. Measured: of 16 writes whose
//! connection broke, up to 4 had been applied.

use mitalk_cluster::store::StoreError;
use scylla::errors::{DbError, ExecutionError, RequestAttemptError};

/// A read changes nothing, so its failure is never unknown. Nor does it say anything about what is stored: a right that is
/// missing or a schema on its way is mended by an operator, and until then everybody tries again.
pub(super) fn of_read(error: &ExecutionError) -> StoreError {
    StoreError::Unavailable(explained(error))
}

/// Of a write, conditional or not.
pub(super) fn of_write(error: &ExecutionError) -> StoreError {
    match error {
        // Nothing was sent.
        ExecutionError::BadQuery(_)
        | ExecutionError::EmptyPlan
        | ExecutionError::PrepareError(_)
        | ExecutionError::ConnectionPoolError(_)
        | ExecutionError::LastAttemptError(
            RequestAttemptError::SerializationError(_)
            | RequestAttemptError::CqlRequestSerialization(_)
            | RequestAttemptError::UnableToAllocStreamId,
        ) => StoreError::Unavailable(explained(error)),
        error if is_refused(error) => StoreError::Unavailable(explained(error)),
        error => StoreError::Unknown(explained(error)),
    }
}

/// The server understood the request and will never carry it out as it is: another schema, no right.
fn is_refused(error: &ExecutionError) -> bool {
    matches!(
        error,
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(
            DbError::SyntaxError
                | DbError::Invalid
                | DbError::Unauthorized
                | DbError::AuthenticationError
                | DbError::ConfigError,
            _,
        ))
    )
}

fn explained(error: &ExecutionError) -> String {
    let advice = match error {
        ExecutionError::ConnectionPoolError(_) => {
            ": no node of the CQL cluster is reachable, see scylla.nodes"
        }
        ExecutionError::EmptyPlan => ": see scylla.datacenter",
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(DbError::Unavailable { .. }, _)) => {
            ": too few nodes of the CQL cluster are up"
        }
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(DbError::Unauthorized, _)) => {
            ": give scylla.user the rights SELECT and MODIFY on the keyspace"
        }
        _ => "",
    };
    format!("{error}{advice}")
}

/// Rows that are not as this release writes them.
pub(super) fn corrupt(what: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("a stored row cannot be read: {what}"))
}

/// A conditional write that was answered, nobody knows how.
pub(super) fn unread_outcome(what: impl std::fmt::Display) -> StoreError {
    StoreError::Unknown(format!(
        "the outcome of a conditional write cannot be read: {what}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(error: DbError) -> ExecutionError {
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(error, String::new()))
    }

    /// A write is only said not to be applied where that is certain.
    #[test]
    fn what_a_server_gave_up_is_unknown() {
        for error in [
            answered(DbError::Overloaded),
            answered(DbError::ServerError),
            answered(DbError::IsBootstrapping),
            ExecutionError::RequestTimeout(std::time::Duration::from_secs(1)),
        ] {
            assert!(of_write(&error).is_unknown(), "{error}");
            assert!(!of_read(&error).is_unknown(), "{error}");
        }
        for error in [answered(DbError::Invalid), ExecutionError::EmptyPlan] {
            assert!(!of_write(&error).is_unknown(), "{error}");
        }
    }

    /// Whoever is told that something is final gives up: events go to the dead letters, entities stay asleep.
    #[test]
    fn a_right_that_is_missing_is_no_reason_to_give_up() {
        for error in [
            DbError::SyntaxError,
            DbError::Invalid,
            DbError::Unauthorized,
            DbError::AuthenticationError,
            DbError::ConfigError,
        ] {
            let error = answered(error);
            assert!(!of_read(&error).is_final(), "{error}");
            assert!(!of_write(&error).is_final(), "{error}");
        }
    }
}
