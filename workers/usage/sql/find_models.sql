-- Of usages that are given back, by account and transaction.
SELECT usage.id, credits.model_of(usage.metadata) AS model
FROM unnest($1::uuid[], $2::uuid[]) AS asked (account_id, id)
JOIN credits.transactions AS usage USING (id, account_id)
