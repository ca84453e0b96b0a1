-- Number of commits that gave a task a claim key with a time before that of their unit, or whose transaction lasted long. Claims begin to read at the first
-- task of earlier claims; after such a commit they read from the start again.
ALTER TABLE {schema}.marks ADD COLUMN rewinds int8 NOT NULL DEFAULT 0;
