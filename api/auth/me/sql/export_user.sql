SELECT id, email, name, role, email_verified, language, banned_at, ban_reason, created_at
FROM auth.users
WHERE id = auth.this_user()
