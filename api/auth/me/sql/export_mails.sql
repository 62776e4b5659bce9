SELECT id, kind, email, details, created_at, due_at, attempts
FROM auth.mails
WHERE user_id = auth.this_user()
ORDER BY id
