-- Ownership: protocol rules 1, 3, 4 and 8.

CREATE TABLE node_lease (
    node        TEXT PRIMARY KEY,
    incarnation INTEGER NOT NULL,
    beat        INTEGER NOT NULL,
    released    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE shard (
    shard       INTEGER PRIMARY KEY,
    owner       TEXT,
    incarnation INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    list_id     BLOB
) STRICT;

CREATE TABLE open_list (
    shard INTEGER NOT NULL REFERENCES shard (shard),
    kind  TEXT NOT NULL,
    key   TEXT NOT NULL,
    PRIMARY KEY (shard, kind, key)
) STRICT, WITHOUT ROWID;

-- Entities: rules 5, 7 and 11. Rows are never removed. With a rowid, because blobs of up to 64 KiB do not belong into
-- the inner pages of the key's tree.

CREATE TABLE entity (
    kind      TEXT NOT NULL,
    key       TEXT NOT NULL,
    write_id  BLOB NOT NULL,
    epoch     INTEGER NOT NULL,
    sequence  INTEGER NOT NULL,
    published INTEGER NOT NULL,
    blob      BLOB NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT;

CREATE TABLE outbox (
    kind       TEXT NOT NULL,
    key        TEXT NOT NULL,
    sequence   INTEGER NOT NULL,
    target     TEXT NOT NULL CHECK (target IN ('topic', 'entity', 'table')),
    name       TEXT NOT NULL, -- of the topic, the table, or the target entity's kind
    target_key TEXT,          -- of the target entity
    payload    BLOB NOT NULL,
    at         INTEGER NOT NULL,
    trace      TEXT NOT NULL,
    PRIMARY KEY (kind, key, sequence)
) STRICT, WITHOUT ROWID;

-- Timers: rules 13 and 14. A key is never used twice, it carries the write id of the commit that needs it.

CREATE TABLE timer (
    shard    INTEGER NOT NULL,
    hour     INTEGER NOT NULL,
    due      INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    key      TEXT NOT NULL,
    write_id BLOB NOT NULL,
    name     TEXT NOT NULL,
    epoch    INTEGER NOT NULL,
    PRIMARY KEY (shard, hour, due, kind, key, write_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE low_water (
    shard INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    hour  INTEGER NOT NULL
) STRICT;

-- The event log: topics, their events, and what each consumer group has dealt with.

CREATE TABLE topic (
    name TEXT PRIMARY KEY,
    next INTEGER NOT NULL -- the offset of the next event; never falls, also when all events are gone
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    topic    TEXT NOT NULL,
    position INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    key      TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    payload  BLOB NOT NULL,
    trace    TEXT NOT NULL,
    reason   TEXT, -- of a dead letter
    PRIMARY KEY (topic, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE consumer (
    name     TEXT NOT NULL,
    topic    TEXT NOT NULL,
    position INTEGER NOT NULL, -- dealt with, and all before it
    PRIMARY KEY (name, topic)
) STRICT, WITHOUT ROWID;

CREATE TABLE consumed (
    name     TEXT NOT NULL,
    topic    TEXT NOT NULL,
    kind     TEXT NOT NULL,
    key      TEXT NOT NULL,
    sequence INTEGER NOT NULL, -- the highest dealt with
    PRIMARY KEY (name, topic, kind, key)
) STRICT, WITHOUT ROWID;

-- Read tables. Each row is written by one entity only and keeps that entity's sequence: what is not newer changes
-- nothing, so a removal is a row that says so. `change` is the payload as the relay brought it, with its version.

CREATE TABLE profile (
    user     TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    change   BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE handle (
    handle   TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    user     TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE follow (
    follower TEXT NOT NULL,
    followee TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    follows  INTEGER NOT NULL,
    PRIMARY KEY (follower, followee)
) STRICT, WITHOUT ROWID;

CREATE INDEX follow_reverse ON follow (followee, follower) WHERE follows;

-- Kept in step with `follow` by the same transaction: counting a million followers for each look at a profile is not an
-- option.
CREATE TABLE follow_count (
    user      TEXT PRIMARY KEY,
    followers INTEGER NOT NULL,
    following INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE notice (
    user     TEXT NOT NULL,
    seq      INTEGER NOT NULL, -- the person's notice sequence
    sequence INTEGER NOT NULL,
    change   BLOB NOT NULL,
    PRIMARY KEY (user, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE ticket_block (
    home     TEXT NOT NULL,
    block    INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    waiting  INTEGER NOT NULL,
    change   BLOB NOT NULL,
    PRIMARY KEY (home, block)
) STRICT;

-- All counts of a waitlist without its bitmaps: 2,442 entries for ten million tickets.
CREATE INDEX ticket_count ON ticket_block (home, block, waiting);

CREATE TABLE live_room (
    room     TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    change   BLOB -- nothing once it ended
) STRICT;

CREATE INDEX live_room_now ON live_room (room) WHERE change IS NOT NULL;

-- The operator's allow-list, by keyed hash of the number.

CREATE TABLE allow_list (
    phone   TEXT PRIMARY KEY,
    enabled INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
