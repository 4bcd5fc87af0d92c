-- Times are microseconds since 1970-01-01T00:00:00Z by the ledger's clock (publish times: Pub/Sub's).
-- Outcomes and reasons are their stable codes; lists and plans are JSON text; digests are 32 bytes.

-- "lgl1": says whose database this is.
PRAGMA application_id = 0x6c676c31;

-- One row for each delivery, in the order of recording.
CREATE TABLE receipts (
    seq           INTEGER PRIMARY KEY,
    recorded      INTEGER NOT NULL,
    message_id    TEXT NOT NULL,
    publish_time  INTEGER,
    subscription  TEXT,
    sender        TEXT NOT NULL,
    outcome       TEXT NOT NULL,
    reason        TEXT,
    message       TEXT,
    -- The event it delivered; NULL for a delivery that became none. Deferred: an event's first receipt
    -- is written just before the event.
    event         INTEGER REFERENCES events (seq) DEFERRABLE INITIALLY DEFERRED,
    -- What a delivery that became no event claimed to be.
    claimed_event TEXT,
    checks        TEXT NOT NULL,
    body          BLOB NOT NULL
) STRICT;
-- The later deliveries of an event; its first one has the event's own seq and needs no entry.
CREATE INDEX receipts_of_event ON receipts (event) WHERE event <> seq;

-- One row for each distinct statement. Its seq is that of its first receipt, so that one number orders
-- events and rejected deliveries in one listing.
CREATE TABLE events (
    seq             INTEGER PRIMARY KEY REFERENCES receipts (seq),
    id              TEXT NOT NULL UNIQUE,
    digest          BLOB NOT NULL,
    first_published INTEGER NOT NULL,
    data            BLOB NOT NULL,
    signatures      TEXT NOT NULL,
    pipeline        TEXT,
    build           TEXT NOT NULL,
    artifacts       TEXT NOT NULL,
    checks          TEXT NOT NULL,
    unmatched       TEXT
) STRICT;

-- One row for each decision as it stands: what changes from claim to claim, kept small, because every
-- change writes whole pages. What a decision was made of stands in decision_bodies.
CREATE TABLE decisions (
    seq              INTEGER PRIMARY KEY,
    launch_id        TEXT NOT NULL UNIQUE,
    event            INTEGER NOT NULL REFERENCES events (seq),
    trigger_name     TEXT NOT NULL,
    ordinal          INTEGER NOT NULL,
    outcome          TEXT NOT NULL,
    reason           TEXT,
    message          TEXT,
    -- The newest 50; attempt_count counts all.
    attempts         TEXT NOT NULL,
    attempt_count    INTEGER NOT NULL,
    run              TEXT,
    asked_by         TEXT,
    -- 1 while there is work left.
    open             INTEGER NOT NULL,
    -- The newest claim, 0 before the first, and the newest claim that recorded what it came to.
    fence            INTEGER NOT NULL,
    recorded_fence   INTEGER NOT NULL,
    claimed_at       INTEGER,
    -- When it may next be claimed: the end of the lease while claimed, else the end of the delay.
    due_at           INTEGER NOT NULL,
    first_intent     INTEGER,
    decided          INTEGER NOT NULL,
    unanswered_since INTEGER,
    changed          INTEGER NOT NULL,
    failure_told     INTEGER NOT NULL
) STRICT;
-- On nothing that changes: a launched mark touches the row's own page and no other.
CREATE INDEX decisions_of_event ON decisions (event);
CREATE INDEX decisions_due ON decisions (due_at) WHERE open = 1;
CREATE INDEX decisions_untold ON decisions (changed) WHERE outcome = 'failed_launch' AND failure_told = 0;

-- What a decision was made of and what it sends; changed by a replay alone. Plans hold whole pipelines.
CREATE TABLE decision_bodies (
    decision INTEGER PRIMARY KEY REFERENCES decisions (seq),
    subject  TEXT NOT NULL,
    sha256   BLOB NOT NULL,
    checks   TEXT NOT NULL,
    plan     TEXT,
    signers  TEXT NOT NULL,
    config   BLOB NOT NULL
) STRICT;

-- What replays replaced, whole.
CREATE TABLE decision_history (
    seq      INTEGER PRIMARY KEY,
    event    INTEGER NOT NULL REFERENCES events (seq),
    replaced INTEGER NOT NULL,
    decision TEXT NOT NULL
) STRICT;
CREATE INDEX decision_history_of_event ON decision_history (event);

-- What operators asked for.
CREATE TABLE commands (
    id     INTEGER PRIMARY KEY,
    asked  INTEGER NOT NULL,
    kind   TEXT NOT NULL,
    asker  TEXT NOT NULL,
    why    TEXT NOT NULL,
    done   INTEGER,
    result TEXT
) STRICT;
CREATE INDEX commands_open ON commands (id) WHERE result IS NULL;

-- One row that the readiness probe writes.
CREATE TABLE probe (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at  INTEGER NOT NULL
) STRICT;
