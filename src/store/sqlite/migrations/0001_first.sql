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
