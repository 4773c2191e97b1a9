//! What the API counts. Labels are routes, methods and status classes: never ids.

use axum::http::{Method, StatusCode};
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry};
use std::time::Duration;

/// Upper bounds of the answer times, in seconds: a local read takes about 1 ms, a commit 5 to 30.
const BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// The API's metrics. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    requests: IntCounterVec,
    seconds: HistogramVec,
    /// Live sockets that are open.
    pub sockets: IntGauge,
    /// Live sockets that were closed, by reason.
    pub sockets_closed: IntCounterVec,
}

impl Metrics {
    /// Registers them.
    ///
    /// # Errors
    /// If `registry` has metrics of these names already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            requests: IntCounterVec::new(
                Opts::new("mitalk_api_requests_total", "Answered requests."),
                &["method", "route", "status"],
            )?,
            seconds: HistogramVec::new(
                HistogramOpts::new(
                    "mitalk_api_request_seconds",
                    "From a request's head to its answer's.",
                )
                .buckets(BUCKETS.to_vec()),
                &["route"],
            )?,
            sockets: IntGauge::new("mitalk_api_live_sockets", "Open live sockets.")?,
            sockets_closed: IntCounterVec::new(
                Opts::new(
                    "mitalk_api_live_sockets_closed_total",
                    "Live sockets closed, by reason.",
                ),
                &["reason"],
            )?,
        };
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.seconds.clone()))?;
        registry.register(Box::new(metrics.sockets.clone()))?;
        registry.register(Box::new(metrics.sockets_closed.clone()))?;
        Ok(metrics)
    }

    /// Counts an answer. `route` is a pattern or `other`, so the number of series is bounded.
    pub fn answered(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        // Methods can be any token: whoever invents them must not make series.
        let method = match *method {
            Method::GET | Method::POST | Method::PUT | Method::PATCH | Method::DELETE | Method::HEAD => {
                method.as_str()
            }
            _ => "other",
        };
        self.requests
            .with_label_values(&[method, route, status.as_str()])
            .inc();
        self.seconds
            .with_label_values(&[route])
            .observe(took.as_secs_f64());
    }
}
