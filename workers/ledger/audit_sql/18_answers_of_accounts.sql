-- invariant: an answer without transaction belongs to an account
-- counts: credits.keys
SELECT answered.account_id::text AS subject, format('key %s has an answer, but there is no account', idempotency_key)
    AS detail
FROM credits.keys AS answered
LEFT JOIN credits.balances AS account USING (account_id)
WHERE account.account_id IS NULL
