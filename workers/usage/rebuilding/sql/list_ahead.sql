-- Those of these accounts that were counted further than here: by events that came since, or that the stream does not
-- hold.
SELECT there.account_id
FROM credits.usage_progress AS there
LEFT JOIN usage_progress AS here USING (account_id)
WHERE there.account_id = ANY($1::uuid[]) AND there.sequence > coalesce(here.sequence, 0)
ORDER BY there.account_id
