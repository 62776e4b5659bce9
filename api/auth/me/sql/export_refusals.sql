SELECT idempotency_key, code, message, details, created_at, identity AS _identity
FROM credits.refusals
WHERE account_id = auth.this_user()
  AND (idempotency_key, identity) > (coalesce($2, ''), coalesce($3, ''))
ORDER BY idempotency_key, identity
LIMIT $1
