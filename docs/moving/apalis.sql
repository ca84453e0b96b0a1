-- The jobs of apalis-sqlite 1.0.0, stored as JSON, as lines for Tracker::import. With its workers stopped:
--
--     sqlite3 apalis.db <docs/moving/apalis.sql >jobs.jsonl
--
-- A queue becomes a kind: open it first with a type that has `#[task(id)] id: String`, the fields of the payload, and
-- the statuses Pending, InProgress, Failed, Succeeded, Exhausted, Cancelled. What runs comes as pending.
SELECT json_object(
    'kind', job_type,
    'id', id,
    'status', CASE status
        WHEN 'Done' THEN 'Succeeded'
        WHEN 'Killed' THEN 'Cancelled'
        WHEN 'Failed' THEN iif(attempts < max_attempts, 'Failed', 'Exhausted')
        ELSE 'Pending'
    END,
    'priority', min(max(priority, 0), 255),
    'updated', coalesce(done_at, lock_at, run_at) * 1000000,
    'due', run_at * 1000000,
    'attempts', attempts,
    'failures', iif(status = 'Failed', attempts, 0),
    'payload', json_set(CAST(job AS TEXT), '$.id', id),
    'history', iif(last_result ->> 'Err' IS NULL, json_array(), json_array(last_result ->> 'Err'))
)
FROM Jobs
ORDER BY run_at, id;
