INSERT INTO auth.users (id, email, email_key, name, language)
VALUES ($1, $2, $3, $4, $5)
RETURNING id, email, name, role, email_verified, created_at
