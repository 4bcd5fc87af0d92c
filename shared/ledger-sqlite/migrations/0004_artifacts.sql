-- Decisions that wait for their artifact to be looked at.

-- How closely: 'exists' or 'content'; the two are taken up apart, since one takes long.
ALTER TABLE decisions ADD COLUMN artifact_rule TEXT;
CREATE INDEX decisions_unchecked ON decisions (artifact_rule, due_at) WHERE outcome = 'waiting_artifact';

-- What is looked for, and where.
ALTER TABLE decision_bodies ADD COLUMN artifact TEXT;
