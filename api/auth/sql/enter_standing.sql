-- A lock that many may hold at once: it waits for who changes what proves the user, and is waited for by them.
SELECT id, email, name, role, email_verified, created_at, banned_at IS NOT NULL AS banned, credential_epoch, language
FROM auth.users
WHERE id = $1
FOR KEY SHARE
