-- The lock of who changes what proves a user.
SELECT id, role, email_verified, banned_at IS NOT NULL AS banned
FROM auth.users
WHERE email_key = $1
FOR UPDATE
