INSERT INTO auth.passwords (user_id, hash)
VALUES ($1, $2)
