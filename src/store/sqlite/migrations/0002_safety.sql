-- Access tokens that count no more although their time is not over: read at start, and by whoever was not told. `device` is
-- empty where the whole account is meant.

CREATE TABLE shut_out (
    user     TEXT NOT NULL,
    device   TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    change   BLOB NOT NULL,
    PRIMARY KEY (user, device)
) STRICT, WITHOUT ROWID;

CREATE INDEX shut_out_time ON shut_out (at);

-- What this database belongs to: the fingerprint of the lookup key that its numbers were hashed with.

CREATE TABLE identity (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
