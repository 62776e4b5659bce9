-- A lock that nobody else may hold: it waits for all sign-ins and refreshes that are under way, and keeps out new ones.
SELECT id, email, name, role, email_verified, created_at, banned_at IS NOT NULL AS banned, credential_epoch, language
FROM auth.users
WHERE id = $1
FOR UPDATE
