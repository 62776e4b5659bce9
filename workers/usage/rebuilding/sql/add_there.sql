-- So that each of these accounts has a row there that can be locked.
INSERT INTO credits.usage_progress (account_id, sequence)
SELECT account_id, 0 FROM unnest($1::uuid[]) AS account_id ORDER BY account_id
ON CONFLICT DO NOTHING
