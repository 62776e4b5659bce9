-- In place of a secret that was never confirmed; one that is in force stays, and nothing is answered.
INSERT INTO auth.two_factor_auth (user_id, sealed_secret)
VALUES ($1, $2)
ON CONFLICT (user_id) DO UPDATE SET sealed_secret = excluded.sealed_secret, created_at = now()
WHERE two_factor_auth.enabled_at IS NULL
RETURNING user_id
