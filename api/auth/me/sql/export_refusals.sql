SELECT idempotency_key, code, message, details, created_at
FROM credits.refusals
WHERE account_id = auth.this_user()
ORDER BY idempotency_key, identity
