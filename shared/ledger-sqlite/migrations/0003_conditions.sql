-- What decisions to launch ask of each other. All four are set while a decision has something to send and stay
-- as they are when it ends: what they mean follows from `open`, `outcome` and `run_at`, so that whatever ends a
-- decision without a run frees everything in the same write.

-- `oncePer`: what it launches once.
ALTER TABLE decisions ADD COLUMN once_key BLOB;
-- `order: newest`: the line of builds, and the build's place in it.
ALTER TABLE decisions ADD COLUMN order_line BLOB;
ALTER TABLE decisions ADD COLUMN order_number INTEGER;
-- 1 when it counts against the trigger's hourly limit.
ALTER TABLE decisions ADD COLUMN hourly INTEGER;
-- When it was recorded that it has a run, or may have one for good. NULL while it is open, and for ever when
-- it ended without.
ALTER TABLE decisions ADD COLUMN run_at INTEGER;

-- Partial, so that decisions without conditions touch none of them. The first also keeps the rule that the
-- program checks before it writes.
CREATE UNIQUE INDEX decisions_once ON decisions (once_key)
    WHERE once_key IS NOT NULL AND (open = 1 OR outcome IN ('launched', 'launch_unknown'));
CREATE INDEX decisions_order ON decisions (order_line, order_number) WHERE order_line IS NOT NULL;
CREATE INDEX decisions_hourly ON decisions (trigger_name, run_at)
    WHERE hourly = 1 AND (open = 1 OR run_at IS NOT NULL);
