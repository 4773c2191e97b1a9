//! The shortcuts of the protocol's table "Why not simpler", as this simulation takes them.

/// What is done wrong on purpose. The machines stay as they are: the drivers hand them a forged input, leave out a
/// condition, or execute one output more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shortcut {
    /// Notes are plain inserts, read once at the take-over: neither the epoch nor the list id is compared.
    DirtyBuckets,
    /// An entity activated again in the same epoch is not fenced: its row "has our epoch already".
    EpochFence,
    /// No fence is written where no row exists.
    NoFenceWithoutRow,
    /// Deleting an entity removes its row.
    RemovedRows,
    /// The next row of an outbox goes to the producer while one is with it.
    TwoOnTheWire,
    /// The next row for an entity or a table goes while one is on its way, also if it is for the same.
    TwoInside,
    /// `published` follows the lane that is ahead.
    PublishedByFasterLane,
    /// The epoch of a timer row is not looked at.
    DeletesUnknownTimers,
    /// A hold that ended and came back counts as one hold, and shard rows are not compared.
    GoesOnAfterLateRenewal,
    /// The hold counts from the last send of a beat.
    HoldFromResend,
    /// A contender's TTL counts from its first question, not from the answer's arrival.
    TtlFromQuestion,
    /// A round counts whenever it began, whatever was run since, and a row that looks like one's own claim is won.
    OldRounds,
}
