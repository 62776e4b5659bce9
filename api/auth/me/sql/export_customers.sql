-- $1 is for lists that are longer: a user has one in test mode and one in live mode at most.
SELECT livemode, stripe_customer_id
FROM credits.customers
WHERE account_id = auth.this_user()
LIMIT $1
