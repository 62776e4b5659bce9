-- All that a batch can touch, in one go. `what` tells the kind of a row: lots have columns of their own, the rarer kinds
-- come as JSON in `body`.
-- $1 accounts; $2, $3 account and key of commands; $4, $5, $6 account, key, identity of messages that may have been
-- refused before; $7, $8 account and transaction of usages to be given back.
WITH usage AS (
    SELECT transaction.account_id, transaction.id, transaction.app_id, transaction.created_at, transaction.partition,
        transaction.position
    FROM unnest($7::uuid[], $8::uuid[]) AS asked (account_id, id)
    JOIN credits.transactions AS transaction
        ON transaction.id = asked.id AND transaction.account_id = asked.account_id
    WHERE transaction.type = 'usage'
),
burn AS (
    SELECT usage.account_id, usage.id AS usage_id, posting.number, posting.lot_id, posting.amount
    FROM usage
    JOIN credits.postings AS posting
        ON posting.partition = usage.partition
        AND posting.position = usage.position
        AND posting.account_id = usage.account_id
)
SELECT 'lot' AS what, lot.account_id::text AS account_id, lot.id::text AS id, lot.kind, lot.free, lot.granted,
    lot.remaining, lot.expires_at, lot.created_at, NULL::text AS body
FROM credits.lots AS lot
WHERE lot.account_id = ANY($1::uuid[])
  AND lot.open

UNION ALL

-- Lots of such usages that are used up or expired by now; the open ones are among those above.
SELECT 'lot', lot.account_id::text, lot.id::text, lot.kind, lot.free, lot.granted,
    lot.remaining, lot.expires_at, lot.created_at, NULL
FROM (SELECT DISTINCT account_id, lot_id FROM burn) AS burnt
JOIN credits.lots AS lot
    ON lot.account_id = burnt.account_id AND lot.id = burnt.lot_id
WHERE NOT lot.open

UNION ALL

SELECT 'transaction', asked.account_id::text, asked.key, NULL, NULL, NULL, NULL, NULL, NULL,
    row_to_json(transaction)::text
FROM unnest($2::uuid[], $3::text[]) AS asked (account_id, key)
JOIN credits.transactions AS transaction
    ON transaction.account_id = asked.account_id AND transaction.idempotency_key = asked.key

UNION ALL

SELECT 'key', asked.account_id::text, asked.key, NULL, NULL, NULL, NULL, NULL, NULL,
    row_to_json(answered)::text
FROM unnest($2::uuid[], $3::text[]) AS asked (account_id, key)
JOIN credits.keys AS answered
    ON answered.account_id = asked.account_id AND answered.idempotency_key = asked.key

UNION ALL

SELECT 'refusal', asked.account_id::text, asked.key, asked.identity, NULL, NULL, NULL, NULL, NULL,
    row_to_json(refusal)::text
FROM unnest($4::uuid[], $5::text[], $6::text[]) AS asked (account_id, key, identity)
JOIN credits.refusals AS refusal
    ON refusal.account_id = asked.account_id
    AND refusal.idempotency_key = asked.key
    AND refusal.identity = asked.identity

UNION ALL

SELECT 'usage', usage.account_id::text, usage.id::text, NULL, NULL, NULL, NULL, NULL, NULL,
    json_build_object(
        'app_id', usage.app_id,
        'created_at', usage.created_at,
        'burns', (
            SELECT json_agg(json_build_array(burn.number, burn.lot_id, burn.amount) ORDER BY burn.number)
            FROM burn
            WHERE burn.account_id = usage.account_id AND burn.usage_id = usage.id
        ),
        'refunded', (
            SELECT coalesce(sum(refund.amount), 0)::bigint
            FROM credits.transactions AS refund
            WHERE refund.account_id = usage.account_id
              AND refund.refers_to = usage.id
              AND refund.type = 'refund'
        )
    )::text
FROM usage
