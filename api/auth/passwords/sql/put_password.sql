INSERT INTO auth.passwords (user_id, hash)
VALUES ($1, $2)
ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, updated_at = now()
