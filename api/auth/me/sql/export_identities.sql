SELECT id, issuer, subject, email, created_at
FROM auth.accounts
WHERE user_id = auth.this_user()
ORDER BY created_at, id
