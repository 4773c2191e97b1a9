//! What became of a seed.

use crate::simulation::check::Violation;

/// What a seed did, to know that the seeds are not idle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::simulation) struct Report {
    pub(in crate::simulation) steps: u64,
    pub(in crate::simulation) acknowledged: u64,
    pub(in crate::simulation) rows: u64,
    pub(in crate::simulation) claims: u64,
    pub(in crate::simulation) fences: u64,
    pub(in crate::simulation) settled: u64,
    pub(in crate::simulation) crashes: u64,
    pub(in crate::simulation) drains: u64,
    pub(in crate::simulation) pauses: u64,
    pub(in crate::simulation) late: u64,
    pub(in crate::simulation) lost_shards: u64,
    pub(in crate::simulation) overtook: u64,
    pub(in crate::simulation) parked: u64,
    pub(in crate::simulation) told: u64,
    /// Of several rows.
    pub(in crate::simulation) runs: u64,
}

impl Report {
    pub(in crate::simulation) fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.acknowledged += other.acknowledged;
        self.rows += other.rows;
        self.claims += other.claims;
        self.fences += other.fences;
        self.settled += other.settled;
        self.crashes += other.crashes;
        self.drains += other.drains;
        self.pauses += other.pauses;
        self.late += other.late;
        self.lost_shards += other.lost_shards;
        self.overtook += other.overtook;
        self.parked += other.parked;
        self.told += other.told;
        self.runs += other.runs;
    }

    /// A simulation in which nothing goes wrong proves nothing.
    pub(in crate::simulation) fn assert_interesting(&self, seeds: u64) {
        assert!(self.acknowledged >= seeds * 4, "{self:?}");
        assert!(self.fences >= seeds / 2, "{self:?}");
        assert!(self.settled >= seeds / 2, "{self:?}");
        assert!(self.claims >= seeds * 3, "{self:?}");
        assert!(self.late >= seeds, "{self:?}");
        assert!(self.drains >= seeds / 4, "{self:?}");
        assert!(self.overtook >= seeds / 2, "{self:?}");
        assert!(self.parked >= seeds / 8, "{self:?}");
        assert!(self.told >= seeds / 20, "{self:?}");
        assert!(self.runs >= seeds / 40, "{self:?}");
    }
}

/// What became of a seed.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::simulation) struct Run {
    pub(in crate::simulation) report: Report,
    pub(in crate::simulation) violation: Option<Violation>,
    /// Empty unless it was asked for.
    pub(in crate::simulation) trace: Vec<String>,
}
