//! The engine's figures for Prometheus.
//!
//! A shard counts in plain integers ([`Counts`]) and its shell publishes the difference once a second: an atomic
//! increment per packet and listener would be shared by all shards.

use crate::Gone;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// What a shard counts, since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) joins: u64,
    pub(crate) restarts: u64,
    pub(crate) packets_in: u64,
    pub(crate) packets_out: u64,
    pub(crate) refused_rights: u64,
    pub(crate) refused_rate: u64,
    pub(crate) refused_codec: u64,
    pub(crate) refused_late: u64,
    /// By [`Dropped`].
    pub(crate) dropped: [u64; DROPS.len()],
    /// Sessions and rooms that a panic ended. Should stay 0.
    pub(crate) panics: u64,
    /// Panics that ended all sessions of the shard. Should stay 0.
    pub(crate) failures: u64,
    /// By [`Gone`].
    pub(crate) ended: [u64; ENDS.len()],
}

/// What a shard's socket counts, since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SocketCounts {
    pub(crate) datagrams_in: u64,
    pub(crate) datagrams_out: u64,
    /// The system's receive buffer was full: somebody's audio is missing.
    pub(crate) overflows: u64,
    /// The system's send buffer stayed full.
    pub(crate) send_full: u64,
    /// The system refused the datagram.
    pub(crate) send_failed: u64,
}

/// Why a datagram got no further than its session's door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// It belongs to nobody, or is nothing that we speak.
    Unknown,
    /// Not made with the session's password or keys.
    Forged,
    /// Authentic, but from one address too many.
    TooManyAddresses,
    /// RTP on one SSRC too many.
    TooManySources,
    /// More than any client sends.
    TooFast,
}

const DROPS: [(Dropped, &str); 5] = [
    (Dropped::Unknown, "unknown"),
    (Dropped::Forged, "forged"),
    (Dropped::TooManyAddresses, "too_many_addresses"),
    (Dropped::TooManySources, "too_many_sources"),
    (Dropped::TooFast, "rate"),
];

const ENDS: [(Gone, &str); 5] = [
    (Gone::ClosedByPeer, "closed_by_peer"),
    (Gone::GraceOver, "grace_over"),
    (Gone::Removed, "removed"),
    (Gone::NeverConnected, "never_connected"),
    (Gone::Failed, "failed"),
];

/// All metrics of one engine. Several engines in one process need a registry each.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(crate) sessions: IntGauge,
    joins: IntCounter,
    restarts: IntCounter,
    panics: IntCounter,
    failures: IntCounter,
    ended: IntCounterVec,
    packets_in: IntCounter,
    packets_out: IntCounter,
    packets_refused: IntCounterVec,
    datagrams_in: IntCounter,
    datagrams_out: IntCounter,
    overflows: IntCounter,
    datagrams_dropped: IntCounterVec,
    sends_failed: IntCounterVec,
}

impl Metrics {
    /// Makes the metrics and registers them.
    ///
    /// # Errors
    /// A metric of the same name is registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name, help| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let labelled = |name, help, label| {
            let counter = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let sessions = IntGauge::new("mitalk_media_sessions", "Media sessions on this node")?;
        registry.register(Box::new(sessions.clone()))?;
        Ok(Self {
            sessions,
            joins: counter("mitalk_media_joins_total", "Offers answered with a new session")?,
            restarts: counter("mitalk_media_ice_restarts_total", "ICE restarts answered")?,
            panics: counter(
                "mitalk_media_panics_total",
                "Panics contained to one session or room; a bug",
            )?,
            failures: counter(
                "mitalk_media_shard_failures_total",
                "Panics that ended all sessions of a shard; a bug",
            )?,
            ended: labelled("mitalk_media_sessions_ended_total", "Sessions that ended", "why")?,
            packets_in: counter(
                "mitalk_media_packets_in_total",
                "RTP packets decrypted from speakers",
            )?,
            packets_out: counter(
                "mitalk_media_packets_out_total",
                "Speakers' RTP packets sent to listeners",
            )?,
            packets_refused: labelled(
                "mitalk_media_packets_refused_total",
                "Speakers' packets that were not forwarded",
                "reason",
            )?,
            datagrams_in: counter("mitalk_media_datagrams_in_total", "Datagrams received")?,
            datagrams_out: counter(
                "mitalk_media_datagrams_out_total",
                "Datagrams handed to the system",
            )?,
            overflows: counter(
                "mitalk_media_receive_overflows_total",
                "Datagrams that the system dropped because the media thread was too slow",
            )?,
            datagrams_dropped: labelled(
                "mitalk_media_datagrams_dropped_total",
                "Datagrams not looked into: of nobody we know, forged, or too many",
                "reason",
            )?,
            sends_failed: labelled("mitalk_media_sends_failed_total", "Datagrams not sent", "reason")?,
        })
    }

    /// Adds what a shard counted since `before`.
    pub(crate) fn publish(&self, before: &Counts, now: &Counts) {
        self.joins.inc_by(now.joins - before.joins);
        self.restarts.inc_by(now.restarts - before.restarts);
        self.panics.inc_by(now.panics - before.panics);
        self.failures.inc_by(now.failures - before.failures);
        self.packets_in.inc_by(now.packets_in - before.packets_in);
        self.packets_out.inc_by(now.packets_out - before.packets_out);
        for (why, label) in ENDS {
            let at = why as usize;
            self.ended
                .with_label_values(&[label])
                .inc_by(now.ended[at] - before.ended[at]);
        }
        for (label, before, now) in [
            ("rights", before.refused_rights, now.refused_rights),
            ("rate", before.refused_rate, now.refused_rate),
            ("codec", before.refused_codec, now.refused_codec),
            ("late", before.refused_late, now.refused_late),
        ] {
            self.packets_refused
                .with_label_values(&[label])
                .inc_by(now - before);
        }
        for (why, label) in DROPS {
            let at = why as usize;
            self.datagrams_dropped
                .with_label_values(&[label])
                .inc_by(now.dropped[at] - before.dropped[at]);
        }
    }

    /// Adds what a shard's socket counted since `before`.
    pub(crate) fn publish_socket(&self, before: &SocketCounts, now: &SocketCounts) {
        self.datagrams_in.inc_by(now.datagrams_in - before.datagrams_in);
        self.datagrams_out
            .inc_by(now.datagrams_out - before.datagrams_out);
        // The system counts in 32 bits.
        self.overflows
            .inc_by(now.overflows.saturating_sub(before.overflows));
        self.sends_failed
            .with_label_values(&["full"])
            .inc_by(now.send_full - before.send_full);
        self.sends_failed
            .with_label_values(&["refused"])
            .inc_by(now.send_failed - before.send_failed);
    }
}
