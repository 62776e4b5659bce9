-- A restored ledger holds its top-ups (ops/backup/restoring.py): all that may have been paid since its last turn must have
-- been compared first. Without a time somebody has looked at what that cannot tell.
UPDATE credits.topup_rounds SET due_at = now()
WHERE livemode = $1 AND due_at = 'infinity' AND ($2::timestamptz IS NULL OR ended_at IS NULL OR ended_at >= $2)
RETURNING livemode
