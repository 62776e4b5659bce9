INSERT INTO auth.users (id, email, email_key, name)
VALUES ($1, $2, $3, $4)
RETURNING id, email, name, role, email_verified, created_at
