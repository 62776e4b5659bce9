-- invariant: the postings of each asset sum to zero over all accounts
-- counts: credits.postings
SELECT 'asset ' || asset AS subject, format('all accounts together hold %s', sum(held)) AS detail
FROM (
    -- The user's side as its balance says, the house's side and what users owe as the postings say.
    SELECT 'credit' AS asset, balance + free_credits_remaining AS held FROM credits.balances
    UNION ALL
    SELECT asset, amount FROM credits.postings WHERE destination ~ '^(system|debt):'
    UNION ALL
    SELECT asset, -amount FROM credits.postings WHERE source ~ '^(system|debt):'
) AS side
GROUP BY asset
HAVING sum(held) <> 0
