-- now(), by which the database knows that this very transaction has spent it.
UPDATE auth.verification_tokens
SET used_at = now()
WHERE id = $1
