-- How often one clause alone kept a trigger from matching, and when. One row for each trigger and clause, so
-- that the table is bounded by the triggers files that ever were.
CREATE TABLE near_misses (
    trigger_name TEXT NOT NULL,
    clause       TEXT NOT NULL,
    events       INTEGER NOT NULL,
    first        INTEGER NOT NULL,
    last         INTEGER NOT NULL,
    last_event   INTEGER NOT NULL REFERENCES events (seq),
    PRIMARY KEY (trigger_name, clause)
) STRICT, WITHOUT ROWID;
