-- Buildkite's own word on builds, and the decisions that wait for it.

-- The newest word on each build, by the build's id.
CREATE TABLE build_facts (
    id           TEXT PRIMARY KEY,
    organization TEXT NOT NULL,
    pipeline     TEXT NOT NULL,
    number       INTEGER NOT NULL,
    facts        TEXT NOT NULL,
    recorded     INTEGER NOT NULL,
    -- Grows with each newer word.
    version      INTEGER NOT NULL,
    -- 1 until the decisions that wait for the build were decided by it.
    unheeded     INTEGER NOT NULL
) STRICT;
CREATE INDEX build_facts_of_build ON build_facts (organization, pipeline, number);
CREATE INDEX build_facts_unheeded ON build_facts (recorded) WHERE unheeded = 1;

-- Which events ever waited for which build; whether one still does stands in its decisions.
CREATE TABLE build_waits (
    organization TEXT NOT NULL,
    pipeline     TEXT NOT NULL,
    number       INTEGER NOT NULL,
    event        INTEGER NOT NULL REFERENCES events (seq),
    PRIMARY KEY (organization, pipeline, number, event)
) STRICT, WITHOUT ROWID;

-- For how long a decision waits; when that ends stands in due_at.
ALTER TABLE decisions ADD COLUMN wait_seconds INTEGER;
