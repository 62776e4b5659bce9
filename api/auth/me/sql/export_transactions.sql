-- Postings by their transaction, which alone finds them by an index.
SELECT id, sequence, type, status, amount, balance_before, balance_after, app_id, origin, description, metadata, reason,
       idempotency_key, refers_to, traceparent, created_at, completed_at,
       (SELECT json_agg(json_build_object(
                   'source', postings.source, 'destination', postings.destination, 'lotId', postings.lot_id,
                   'amount', postings.amount, 'asset', postings.asset) ORDER BY postings.number)
        FROM credits.postings
        WHERE postings.partition = transactions.partition AND postings.position = transactions.position
          AND postings.account_id = transactions.account_id) AS postings
FROM credits.transactions
WHERE account_id = auth.this_user()
  AND sequence > coalesce($2, 0::bigint)
ORDER BY sequence
LIMIT $1
