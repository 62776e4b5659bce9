SELECT id, email, name, role, email_verified, created_at, banned_at, ban_reason, language
FROM auth.admin_lock_user($1)
