-- $1 beginning of the key of an address, $2 user behind whom to begin (may be NULL), $3 how many at most.
SELECT id, email, name, role, email_verified, created_at, banned_at, ban_reason, language
FROM auth.admin_list_users($1, $2, $3)
