-- In the order in which they are shown; $1: the retired ones too.
SELECT id, name, description, credits, price_euro_cents, stripe_price_id, sort_order, active,
       coalesce((
           SELECT json_agg(json_build_object(
                      'currency', currency, 'amount', amount, 'stripePriceId', prices.stripe_price_id)
                  ORDER BY currency)
           FROM credits.package_prices AS prices WHERE prices.package_id = packages.id
       ), '[]')::text AS other_prices
FROM credits.packages
WHERE active OR $1
ORDER BY sort_order, id
