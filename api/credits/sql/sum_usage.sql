-- $2 from, $3 to (hours in UTC), $4 app or NULL, $5 what is added up, $6 how many groups: those that took most. In order.
WITH chosen AS (
    SELECT uses, credits, refunds, refunded,
        CASE $5::text
            WHEN 'app' THEN app_id
            WHEN 'model' THEN model
            WHEN 'day' THEN day::text
            ELSE to_char(day + hour * interval '1 hour', 'YYYY-MM-DD"T"HH24":00:00Z"')
        END COLLATE "C" AS name
    FROM credits.usage_stats
    WHERE account_id = $1
      AND day >= $2::timestamp::date AND day <= $3::timestamp::date
      AND day + hour * interval '1 hour' >= $2 AND day + hour * interval '1 hour' < $3
      AND ($4::text IS NULL OR app_id = $4)
),
largest AS (
    SELECT name, sum(uses)::bigint AS uses, sum(credits)::bigint AS credits, sum(refunds)::bigint AS refunds,
        sum(refunded)::bigint AS refunded, sum(sum(uses)) OVER ()::bigint AS all_uses,
        sum(sum(credits)) OVER ()::bigint AS all_credits, sum(sum(refunds)) OVER ()::bigint AS all_refunds,
        sum(sum(refunded)) OVER ()::bigint AS all_refunded
    FROM chosen
    GROUP BY name
    ORDER BY sum(credits) DESC, name
    LIMIT $6
)
SELECT * FROM largest ORDER BY name
