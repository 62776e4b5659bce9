SELECT purpose, email, device_name, failures, created_at, expires_at, used_at
FROM auth.verification_tokens
WHERE user_id = auth.this_user()
ORDER BY created_at, id
