-- No row where somebody has the address: of an error the server's log would tell each time.
INSERT INTO auth.users (id, email, email_key, name, language)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (email_key) DO NOTHING
RETURNING id, email, name, role, email_verified, created_at
