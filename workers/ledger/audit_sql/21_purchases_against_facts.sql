-- invariant: what is taken of a purchase, and its status, are what its refunds and disputes come to
-- counts: credits.purchases
SELECT account_id::text AS subject,
    format('purchase %s is %s: taken %s of %s, held %s; of %s %s were refunded, %s lost', id, status, taken, credits, held,
        amount, refunded, lost) AS detail
FROM (
    SELECT purchase.*,
        (SELECT coalesce(sum((known.value ->> 0)::numeric) FILTER (WHERE known.value ->> 1 = 'succeeded'), 0)
            FROM jsonb_each(refunds) AS known) AS refunded,
        (SELECT coalesce(sum((known.value ->> 0)::numeric) FILTER (WHERE known.value ->> 1 = 'lost'), 0)
            FROM jsonb_each(disputes) AS known) AS lost,
        EXISTS (SELECT FROM jsonb_each(disputes) AS known WHERE known.value ->> 1 = 'open') AS is_open
    FROM credits.purchases AS purchase
) AS told
WHERE taken <> CASE WHEN paid THEN floor(credits * least(amount, refunded + lost) / amount) ELSE 0 END
   OR (held > 0 AND NOT is_open)
   OR CASE
       WHEN NOT paid THEN status NOT IN ('pending', 'failed')
       WHEN is_open OR lost > 0 THEN status <> 'disputed'
       WHEN refunded >= amount THEN status <> 'refunded'
       ELSE status <> 'completed'
   END
