-- invariant: the credits that purchases brought on a day (UTC) are those of the purchases completed on it
-- counts: credits.purchases
SELECT 'day ' || day AS subject,
    format('%s purchases of %s credits were completed, %s transactions of %s', bought.purchases, bought.credits,
        credited.purchases, credited.credits) AS detail
FROM (
    SELECT (completed_at AT TIME ZONE 'UTC')::date AS day, count(*) AS purchases, sum(credits) AS credits
    FROM credits.purchases
    WHERE completed_at IS NOT NULL
    GROUP BY 1
) AS bought
FULL JOIN (
    SELECT (completed_at AT TIME ZONE 'UTC')::date AS day, count(*) AS purchases, sum(amount) AS credits
    FROM credits.transactions
    WHERE type = 'purchase'
    GROUP BY 1
) AS credited USING (day)
WHERE (bought.purchases, bought.credits) IS DISTINCT FROM (credited.purchases, credited.credits)
