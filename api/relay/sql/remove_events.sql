DELETE FROM auth.outbox_events
WHERE number = ANY($1::bigint[])
