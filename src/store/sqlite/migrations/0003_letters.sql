-- Dead letters get a table of their own, with the group that could not deal with them; the groups get their names.

CREATE TABLE dead_letter (
    id       TEXT PRIMARY KEY, -- group:topic:kind/key/sequence
    name     TEXT NOT NULL,    -- the group's
    topic    TEXT NOT NULL,
    kind     TEXT NOT NULL,
    key      TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    at       INTEGER NOT NULL, -- when it was decided
    payload  BLOB NOT NULL,
    trace    TEXT NOT NULL,
    reason   TEXT NOT NULL,
    put_at   INTEGER NOT NULL  -- when it was given up
) STRICT;

CREATE INDEX dead_letter_topic ON dead_letter (topic, put_at, id);

-- Which group gave up was not said. Each event concerns one group only, so a letter for both is retried by the right one.
INSERT INTO dead_letter (id, name, topic, kind, key, sequence, at, payload, trace, reason, put_at)
SELECT team.name || ':' || substr(topic, 1, length(topic) - 4) || ':' || kind || '/' || key || '/' || sequence,
       team.name, substr(topic, 1, length(topic) - 4), kind, key, sequence, at, payload, trace, coalesce(reason, ''), at
FROM event, (SELECT 'inviter' AS name UNION ALL SELECT 'notifier') AS team
WHERE topic LIKE '%.dlq' AND (team.name = 'inviter' OR topic = 'mitalk.notices.v1.dlq')
ON CONFLICT (id) DO NOTHING;

DELETE FROM event WHERE topic LIKE '%.dlq';
DELETE FROM topic WHERE name LIKE '%.dlq';
ALTER TABLE event DROP COLUMN reason;
-- A dead letter that is tried again: the only group that it is for.
ALTER TABLE event ADD COLUMN again_for TEXT;

UPDATE consumer SET name = 'inviter' WHERE name = 'messages';
UPDATE consumed SET name = 'inviter' WHERE name = 'messages';
UPDATE consumer SET name = 'notifier' WHERE name = 'in-app';
UPDATE consumed SET name = 'notifier' WHERE name = 'in-app';
