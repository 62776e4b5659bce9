-- The same password under today's parameters; a password that was changed meanwhile stays.
UPDATE auth.passwords
SET hash = $3, updated_at = now()
WHERE user_id = $1 AND hash = $2
