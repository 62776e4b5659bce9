-- Those that nothing was counted of yet: so that each has a row that can be locked.
INSERT INTO usage_progress (account_id, sequence)
SELECT account_id, 0 FROM unnest($1::uuid[]) AS account_id ORDER BY account_id
ON CONFLICT DO NOTHING
