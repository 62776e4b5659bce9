-- invariant: a transaction's amount is what its postings moved
-- counts: credits.transactions
SELECT coalesce(transaction.account_id, moved.account_id)::text AS subject,
    format(
        'transaction %s at %s/%s: amount %s, postings %s',
        transaction.id, partition, position, transaction.amount, moved.sum
    ) AS detail
FROM credits.transactions AS transaction
FULL JOIN (
    SELECT partition, position, account_id,
        sum(CASE account_id::text WHEN destination THEN amount WHEN source THEN -amount ELSE 0 END) AS sum
    FROM credits.postings
    GROUP BY partition, position, account_id
) AS moved USING (partition, position, account_id)
-- One of 0 may have no postings.
WHERE transaction.amount IS DISTINCT FROM coalesce(moved.sum, 0)
