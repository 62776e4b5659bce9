SELECT id, email, name, role, email_verified, created_at, language,
       EXISTS (SELECT FROM auth.two_factor_auth WHERE user_id = users.id AND enabled_at IS NOT NULL) AS two_factor
FROM auth.users
WHERE id = $1
