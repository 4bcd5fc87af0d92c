-- Builds that named their artifacts by webhook, and builds that Buildkite's API is asked about.

-- The event in which each build, by its id, first named its artifacts; it stays the only one.
CREATE TABLE artifact_sets (
    build_id TEXT PRIMARY KEY,
    digest   BLOB NOT NULL,
    named    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- When a build that decisions wait for may be asked for again.
CREATE TABLE build_asks (
    organization TEXT NOT NULL,
    pipeline     TEXT NOT NULL,
    number       INTEGER NOT NULL,
    asked        INTEGER NOT NULL,
    due_at       INTEGER NOT NULL,
    PRIMARY KEY (organization, pipeline, number)
) STRICT, WITHOUT ROWID;

-- What waits for builds, oldest first. Touched by decisions that wait alone.
CREATE INDEX decisions_waiting ON decisions (decided) WHERE outcome = 'waiting_build';
