-- invariant: a lot holds what its postings left in it, and was granted what its first one brought
-- counts: credits.lots
SELECT coalesce(lot.account_id, moved.account_id)::text AS subject,
    format('lot %s: %s left of %s, postings left %s of %s', coalesce(lot.id, moved.id), lot.remaining, lot.granted,
        moved.remaining, moved.granted) AS detail
FROM credits.lots AS lot
FULL JOIN (
    SELECT posting.account_id, posting.lot_id AS id,
        sum(CASE posting.account_id::text WHEN posting.destination THEN posting.amount
            WHEN posting.source THEN -posting.amount ELSE 0 END)
            AS remaining,
        (array_agg(
            CASE posting.account_id::text WHEN posting.destination THEN posting.amount END
            ORDER BY transaction.sequence, posting.number
        ))[1] AS granted
    FROM credits.postings AS posting
    LEFT JOIN credits.transactions AS transaction USING (partition, position, account_id)
    GROUP BY posting.account_id, posting.lot_id
) AS moved ON moved.account_id = lot.account_id AND moved.id = lot.id
WHERE (lot.remaining, lot.granted) IS DISTINCT FROM (moved.remaining, moved.granted)
   OR lot.remaining > lot.granted
