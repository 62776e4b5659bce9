-- All that a batch can touch, in one go. `what` tells the kind of a row: lots have columns of their own, in the order of
-- the model's fields; the rarer kinds come as JSON in `body`.
-- $1 accounts; $2, $3 account and key of commands; $4, $5, $6 account, key, identity of messages that may have been
-- refused before; $7, $8 account and transaction of usages to be given back.
-- Each look-up is a LATERAL with OFFSET 0: so it is made row by row by an index, whatever the planner thinks of a table
-- that was empty when it planned.
WITH usage AS (
    SELECT found.account_id, found.id, found.app_id, found.created_at, found.partition, found.position
    FROM unnest($7::uuid[], $8::uuid[]) AS asked (account_id, id)
    CROSS JOIN LATERAL (
        SELECT account_id, id, app_id, created_at, partition, position
        FROM credits.transactions
        WHERE id = asked.id AND account_id = asked.account_id AND type = 'usage'
        OFFSET 0
    ) AS found
),
burn AS (
    SELECT usage.account_id, usage.id AS usage_id, posting.number, posting.lot_id, posting.amount
    FROM usage
    CROSS JOIN LATERAL (
        SELECT number, lot_id, amount
        FROM credits.postings
        WHERE partition = usage.partition AND position = usage.position AND account_id = usage.account_id
        OFFSET 0
    ) AS posting
)
SELECT 'lot' AS what, id::text AS id, account_id::text AS account_id, kind, free, granted, remaining, expires_at,
    created_at, NULL::text AS body
FROM credits.lots
WHERE account_id = ANY($1::uuid[])
  AND open

UNION ALL

-- Lots of such usages that are used up or expired by now; the open ones are among those above.
SELECT 'lot', lot.id::text, lot.account_id::text, lot.kind, lot.free, lot.granted, lot.remaining, lot.expires_at,
    lot.created_at, NULL
FROM (SELECT DISTINCT account_id, lot_id FROM burn) AS burnt
CROSS JOIN LATERAL (
    SELECT account_id, id, kind, free, granted, remaining, expires_at, created_at
    FROM credits.lots
    WHERE account_id = burnt.account_id AND id = burnt.lot_id AND NOT open
    OFFSET 0
) AS lot

UNION ALL

SELECT 'transaction', asked.key, asked.account_id::text, NULL, NULL, NULL, NULL, NULL, NULL, found.body
FROM unnest($2::uuid[], $3::text[]) AS asked (account_id, key)
CROSS JOIN LATERAL (
    SELECT row_to_json(transaction)::text AS body
    FROM credits.transactions AS transaction
    WHERE account_id = asked.account_id AND idempotency_key = asked.key
    OFFSET 0
) AS found

UNION ALL

SELECT 'key', asked.key, asked.account_id::text, NULL, NULL, NULL, NULL, NULL, NULL, found.body
FROM unnest($2::uuid[], $3::text[]) AS asked (account_id, key)
CROSS JOIN LATERAL (
    SELECT row_to_json(answered)::text AS body
    FROM credits.keys AS answered
    WHERE account_id = asked.account_id AND idempotency_key = asked.key
    OFFSET 0
) AS found

UNION ALL

SELECT 'refusal', asked.key, asked.account_id::text, asked.identity, NULL, NULL, NULL, NULL, NULL, found.body
FROM unnest($4::uuid[], $5::text[], $6::text[]) AS asked (account_id, key, identity)
CROSS JOIN LATERAL (
    SELECT row_to_json(refusal)::text AS body
    FROM credits.refusals AS refusal
    WHERE account_id = asked.account_id AND idempotency_key = asked.key AND identity = asked.identity
    OFFSET 0
) AS found

UNION ALL

-- Read when the accounts are locked: a batch that begins behind a ban refuses also what was queued before it.
SELECT 'suspended', '', account_id::text, reason, NULL, NULL, NULL, NULL, NULL, NULL
FROM credits.suspensions
WHERE account_id = ANY($1::uuid[])

UNION ALL

SELECT 'usage', usage.id::text, usage.account_id::text, NULL, NULL, NULL, NULL, NULL, NULL,
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
