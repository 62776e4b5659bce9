-- invariant: each paid purchase has one transaction and its lot, and each transaction with Stripe its purchase
-- counts: credits.purchases
SELECT coalesce(purchase.account_id, credited.account_id)::text AS subject,
    format('purchase %s (%s) of %s: its transaction credited %s, its lot was granted %s',
        coalesce(purchase.id, credited.id), purchase.status, purchase.credits, credited.amount, lot.granted) AS detail
FROM credits.purchases AS purchase
FULL JOIN (SELECT account_id, id, amount FROM credits.transactions WHERE type = 'purchase') AS credited
    ON credited.account_id = purchase.account_id AND credited.id = purchase.id
LEFT JOIN credits.lots AS lot
    ON lot.account_id = purchase.account_id AND lot.id = purchase.id AND lot.kind = 'purchase'
WHERE (credited.amount, lot.granted)
    IS DISTINCT FROM (CASE WHEN purchase.paid THEN purchase.credits END, CASE WHEN purchase.paid THEN purchase.credits END)
   OR purchase.paid IS DISTINCT FROM (purchase.completed_at IS NOT NULL)
UNION ALL
SELECT posting.account_id::text,
    format('%s %s at %s/%s moves %s from %s to %s, and is of no purchase', transaction.type, transaction.id,
        posting.partition, posting.position, posting.amount, posting.source, posting.destination)
FROM credits.postings AS posting
LEFT JOIN credits.transactions AS transaction USING (partition, position, account_id)
LEFT JOIN credits.purchases AS purchase
    ON purchase.account_id = posting.account_id
   AND purchase.id = CASE transaction.type
       WHEN 'purchase' THEN transaction.id WHEN 'clawback' THEN transaction.refers_to END
WHERE 'system:stripe' IN (posting.source, posting.destination)
  AND purchase.id IS NULL
