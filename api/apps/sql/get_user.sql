SELECT id, email, name, role, email_verified, created_at, banned_at FROM auth.users WHERE id = $1
