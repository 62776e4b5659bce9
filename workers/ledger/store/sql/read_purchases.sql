-- Purchases with what is left in their own lots; the columns have the names of the model's fields.
-- $1, $2 account and purchase of commands; $3 accounts that buy: what they owe of earlier purchases comes as well, so
-- that a purchase may come twice. As in read_state, each look-up is a LATERAL with OFFSET 0.
WITH found AS (
    SELECT named.*
    FROM unnest($1::uuid[], $2::uuid[]) AS asked (account_id, id)
    CROSS JOIN LATERAL (
        SELECT *
        FROM credits.purchases
        WHERE account_id = asked.account_id AND id = asked.id
        OFFSET 0
    ) AS named

    UNION ALL

    SELECT owing.*
    FROM unnest($3::uuid[]) AS buyer (account_id)
    CROSS JOIN LATERAL (
        SELECT *
        FROM credits.purchases
        WHERE account_id = buyer.account_id AND debt > 0
        OFFSET 0
    ) AS owing
)
SELECT found.account_id::text AS account_id, found.id::text AS id, found.credits, found.amount, found.currency,
    found.status, found.stripe_payment_intent_id AS payment_intent_id,
    found.stripe_checkout_session_id AS checkout_session_id, found.created_at, found.completed_at,
    found.refunds::text AS refunds, found.disputes::text AS disputes, found.taken, found.debt, found.written_off,
    found.held, lot.remaining AS left
FROM found
LEFT JOIN LATERAL (
    SELECT remaining
    FROM credits.lots
    WHERE account_id = found.account_id AND id = found.id
    OFFSET 0
) AS lot ON true
