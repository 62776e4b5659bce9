-- What is remembered of commands that made no transaction: $1 keys with their answers, $2 refusals. Of messages without
-- an identity the newest refusal counts.
WITH answered AS (
    INSERT INTO credits.keys (
        account_id, idempotency_key, operation, reason, balance, free_credits_remaining, total_earned, total_spent,
        created_at
    )
    SELECT answered.*, now()
    FROM unnest($1::credits.key_row[]) AS answered
    RETURNING 1
),
refused AS (
    INSERT INTO credits.refusals (account_id, idempotency_key, identity, code, message, details, created_at)
    SELECT account_id, idempotency_key, identity, code, message, details::json, now()
    FROM unnest($2::credits.refusal_row[])
    ON CONFLICT (account_id, idempotency_key, identity) DO UPDATE
    SET code = excluded.code,
        message = excluded.message,
        details = excluded.details,
        created_at = excluded.created_at
    RETURNING 1
)
SELECT (SELECT count(*) FROM answered) AS keys, (SELECT count(*) FROM refused) AS refusals
