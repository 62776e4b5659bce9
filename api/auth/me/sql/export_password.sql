SELECT updated_at
FROM auth.passwords
WHERE user_id = auth.this_user()
