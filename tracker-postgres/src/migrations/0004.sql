-- Number of commits that entered a task in the order of claims at a time before that of their unit, or whose unit lasted long. Claims skip places that
-- earlier claims have found empty; after such a commit they read them again.
ALTER TABLE {schema}.marks ADD COLUMN rewinds int8 NOT NULL DEFAULT 0;
