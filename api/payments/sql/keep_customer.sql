INSERT INTO credits.customers (account_id, livemode, stripe_customer_id)
VALUES ($1, $2, $3)
ON CONFLICT (account_id, livemode) DO UPDATE SET stripe_customer_id = excluded.stripe_customer_id
