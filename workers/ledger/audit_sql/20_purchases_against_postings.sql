-- invariant: what is taken, held, owed and written off of a purchase is what its postings moved
-- counts: credits.purchases
SELECT coalesce(purchase.account_id, moved.account_id)::text AS subject,
    format('purchase %s: taken %s, held %s, owed %s, written off %s; postings say %s, %s, %s, %s',
        coalesce(purchase.id, moved.id), purchase.taken, purchase.held, purchase.debt, purchase.written_off,
        moved.taken, moved.held, moved.debt, moved.written_off) AS detail
FROM credits.purchases AS purchase
FULL JOIN (
    SELECT transaction.account_id, transaction.refers_to AS id,
        sum(came.amount) FILTER (WHERE came.place = 'system:stripe') AS taken,
        sum(came.amount) FILTER (WHERE came.place = 'system:disputed') AS held,
        -sum(came.amount) FILTER (WHERE came.place LIKE 'debt:%') AS debt,
        -sum(came.amount) FILTER (WHERE came.place = 'system:written_off') AS written_off
    FROM credits.transactions AS transaction
    JOIN credits.postings AS posting USING (partition, position, account_id)
    CROSS JOIN LATERAL (VALUES (posting.destination, posting.amount), (posting.source, -posting.amount))
        AS came (place, amount)
    WHERE transaction.type = 'clawback'
    GROUP BY transaction.account_id, transaction.refers_to
) AS moved USING (account_id, id)
WHERE (purchase.taken, purchase.held, purchase.debt, purchase.written_off) IS DISTINCT FROM
    (coalesce(moved.taken, 0), coalesce(moved.held, 0), coalesce(moved.debt, 0), coalesce(moved.written_off, 0))
