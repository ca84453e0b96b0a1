-- The jobs of effectum 0.7.0, stored as JSON, as lines for Tracker::import. With its queue closed:
--
--     sqlite3 effectum.db <docs/moving/effectum.sql >jobs.jsonl
--
-- A job type becomes a kind: open it first with a type that has `id = uuid`, the fields of the payload, and the statuses
-- Pending, InProgress, Failed, Succeeded, Exhausted, Cancelled. What runs comes as pending. Templates of recurring jobs
-- are left out.
SELECT json_object(
    'kind', job_type,
    'id', json_object('$uuid', lower(hex(external_id))),
    'status', CASE
        WHEN active.job_id IS NOT NULL THEN iif(current_try > 0, 'Failed', 'Pending')
        WHEN status = 'succeeded' THEN 'Succeeded'
        WHEN status = 'cancelled' THEN 'Cancelled'
        ELSE 'Exhausted'
    END,
    'priority', min(max(jobs.priority, 0), 255),
    'created', added_at * 1000000,
    'updated', coalesce(finished_at, jobs.started_at, added_at) * 1000000,
    'due', coalesce(active.run_at, orig_run_at) * 1000000,
    'attempts', json_array_length(coalesce(run_info, '[]')),
    'failures', iif(status IS 'succeeded', 0, current_try),
    'payload', json(CAST(coalesce(checkpointed_payload, payload) AS TEXT)),
    'history', (
        SELECT json_group_array(json_object(
            'started', (value ->> 'start') * 1000000,
            'ended', (value ->> 'end') * 1000000,
            'status', iif(value ->> 'success', 'succeeded', 'failed'),
            'failure', json(iif(value ->> 'success', NULL, json_object('error', value ->> 'info')))
        ))
        FROM json_each(coalesce(run_info, '[]'))
    )
)
FROM jobs LEFT JOIN active_jobs AS active USING (job_id)
WHERE status IS NOT 'recurring_base'
ORDER BY jobs.job_id;
