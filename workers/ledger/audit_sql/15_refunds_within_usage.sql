-- invariant: a usage is given back once at most, and to the user who paid it
-- counts: credits.transactions
SELECT refund.account_id::text AS subject,
    format('refunds of %s come to %s, the usage took %s', refund.refers_to, sum(refund.amount), -max(usage.amount))
        AS detail
FROM credits.transactions AS refund
LEFT JOIN credits.transactions AS usage
    ON usage.id = refund.refers_to AND usage.account_id = refund.account_id AND usage.type = 'usage'
WHERE refund.type = 'refund'
GROUP BY refund.account_id, refund.refers_to
HAVING max(usage.id::text) IS NULL OR sum(refund.amount) > -max(usage.amount)
