SELECT id, email, name, role, email_verified, created_at
FROM auth.users
WHERE id = $1 AND banned_at IS NULL
