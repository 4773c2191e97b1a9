//! What a request to the service can end with.

use crate::wire::problem::Problem;
use std::time::Duration;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The service's own answer.
    #[error("{} {}: {}{}", .0.status, .0.code, .0.title, detail(.0))]
    Problem(Box<Problem>),
    /// A failure that is no problem document: not our service, or a proxy before it.
    #[error("status {status} without a problem document: {body}")]
    Unexpected {
        /// HTTP status.
        status: u16,
        /// What came.
        body: String,
    },
    /// The address is no URL.
    #[error("{0} is not an address such as http://127.0.0.1:8080")]
    Address(String),
    /// The connection, or an answer that cannot be read.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

impl Error {
    /// The stable code, if the service answered.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) => Some(&problem.code),
            _ => None,
        }
    }

    /// When the same request may succeed, if the service says so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Problem(problem) => problem.retry_after.map(Duration::from_secs),
            _ => None,
        }
    }
}

fn detail(problem: &Problem) -> String {
    problem
        .detail
        .as_deref()
        .map(|detail| format!(" ({detail})"))
        .unwrap_or_default()
}
