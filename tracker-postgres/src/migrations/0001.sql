-- {schema} is replaced by the quoted name of the schema. Runs in one transaction.

CREATE TABLE {schema}.meta (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    -- Tells the table from one of another program.
    mark text NOT NULL,
    -- The number of the last migration.
    layout int4 NOT NULL,
    -- Rises with each change of the kinds.
    schema int8 NOT NULL
);

-- One row for each task. The bytes sort as in the file of a tracker, in the order of memcmp, so no collation is involved.
-- seq is unique over all kinds. Times are microseconds since 1970.
CREATE TABLE {schema}.tasks (
    kind int8 NOT NULL,
    seq int8 NOT NULL,
    -- Follow from claim_key: the status code, 0 to 255, and when the task is due, its lease ends, or it ended.
    status int4,
    priority int2,
    at int8,
    -- Kind and id, and the id as text if it is text.
    id_key bytea,
    id text,
    claim_key bytea,
    updated_key bytea,
    header bytea,
    successor bytea,
    progress bytea,
    payload bytea,
    PRIMARY KEY (kind, seq)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_analyze_scale_factor = 0.05);
CREATE UNIQUE INDEX tasks_id_key ON {schema}.tasks (id_key);
CREATE INDEX tasks_claim_key ON {schema}.tasks (claim_key);
CREATE INDEX tasks_updated_key ON {schema}.tasks (updated_key) WHERE updated_key IS NOT NULL;

CREATE TABLE {schema}.unique_keys (
    key bytea PRIMARY KEY,
    kind int8 NOT NULL,
    seq int8 NOT NULL
);

CREATE TABLE {schema}.index_keys (
    key bytea PRIMARY KEY
);

-- The attempts that ended.
CREATE TABLE {schema}.history (
    key bytea PRIMARY KEY,
    value bytea NOT NULL
);

-- The number of tasks by kind and status is the sum over the shards. Each connection adds to one shard, so that commits do not wait
-- for each other.
CREATE TABLE {schema}.counts (
    key bytea NOT NULL,
    shard int2 NOT NULL,
    value int8 NOT NULL,
    PRIMARY KEY (key, shard)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- All other tables of a tracker, by their number.
CREATE TABLE {schema}.rows (
    tbl int2 NOT NULL,
    key bytea NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (tbl, key)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- One row for each connection of a process: its last commit, so that a commit whose connection broke is recognised, and the number
-- of its commits. epoch rises when the outcome of a commit was asked for: a commit that is still under way is refused then.
CREATE TABLE {schema}.marks (
    process uuid NOT NULL,
    slot int4 NOT NULL,
    epoch int8 NOT NULL,
    batch int8 NOT NULL,
    commits int8 NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (process, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE SEQUENCE {schema}.sequence;
CREATE SEQUENCE {schema}.fence;
