INSERT INTO credits.usage_progress AS there (account_id, sequence)
SELECT account_id, sequence FROM usage_progress WHERE account_id = ANY($1::uuid[])
ON CONFLICT (account_id) DO UPDATE SET sequence = excluded.sequence
