-- Stripe is to delete it: its user left while it was made.
INSERT INTO credits.forgotten_customers (stripe_customer_id, livemode) VALUES ($1, $2) ON CONFLICT DO NOTHING
