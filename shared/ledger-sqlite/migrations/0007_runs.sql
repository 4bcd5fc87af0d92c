-- Runs that were launched and have not ended as far as anybody knows. A row goes when the end is recorded; the
-- end itself stands in the decision's run.
CREATE TABLE runs_followed (
    decision INTEGER PRIMARY KEY REFERENCES decisions (seq),
    since    INTEGER NOT NULL,
    -- How often it was seen going on.
    looks    INTEGER NOT NULL,
    look_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX runs_to_look_at ON runs_followed (look_at);

-- What was launched before this version is followed from now on.
INSERT INTO runs_followed (decision, since, looks, look_at)
SELECT seq, changed, 0, changed FROM decisions WHERE outcome = 'launched' AND run IS NOT NULL;
