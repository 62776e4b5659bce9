INSERT INTO auth.users (id, email, email_key, role, email_verified)
VALUES ($1, $2, $3, 'admin', true)
