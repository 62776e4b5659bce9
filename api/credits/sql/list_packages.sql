SELECT id, name, description, credits, price_euro_cents, stripe_price_id, sort_order, active
FROM credits.packages
WHERE active
ORDER BY sort_order, id
