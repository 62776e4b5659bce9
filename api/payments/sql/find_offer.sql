-- $2 is the currency.
SELECT packages.id AS package_id, packages.name, packages.credits, packages.price_euro_cents,
       CASE WHEN $2 = 'eur' THEN packages.price_euro_cents ELSE prices.amount END AS amount,
       CASE WHEN $2 = 'eur' THEN packages.stripe_price_id ELSE prices.stripe_price_id END AS stripe_price_id
FROM credits.packages LEFT JOIN credits.package_prices AS prices
    ON prices.package_id = packages.id AND prices.currency = $2
WHERE packages.id = $1 AND packages.active
