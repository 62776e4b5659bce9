-- What has become of events by now. An event that is done stays as it is; so does a reason, until another comes.
-- What is ignored names payers too, and nobody could say whose: its body is not kept.
UPDATE credits.stripe_events AS event SET
    account_id = coalesce(step.account_id, event.account_id),
    keys = coalesce(string_to_array(step.keys, ' '), event.keys),
    tries = event.tries + step.tries,
    outcome = step.outcome,
    body = CASE WHEN step.outcome = 'ignored' THEN NULL ELSE event.body END,
    reason = coalesce(step.reason, event.reason),
    due_at = CASE WHEN step.outcome IS NULL THEN now() + step.pause END,
    done_at = CASE WHEN step.outcome IS NOT NULL THEN now() END
FROM unnest($1::text[], $2::uuid[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::interval[])
    AS step (id, account_id, keys, tries, outcome, reason, pause)
WHERE event.id = step.id AND event.done_at IS NULL
RETURNING event.id, event.type, event.outcome, extract(epoch FROM now() - event.received_at)::float8 AS seconds
