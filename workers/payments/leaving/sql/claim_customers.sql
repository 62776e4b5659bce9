-- Customers that are to be deleted now, for one worker: nobody else gets them for 30 s, and longer with each try.
WITH due AS MATERIALIZED (
    SELECT stripe_customer_id FROM credits.forgotten_customers
    WHERE livemode = $1 AND due_at <= now()
    ORDER BY due_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
UPDATE credits.forgotten_customers AS customer
SET tries = customer.tries + 1, due_at = now() + least(interval '30 s' * 2 ^ least(customer.tries, 10), interval '1 h')
FROM due
WHERE customer.stripe_customer_id = due.stripe_customer_id
RETURNING customer.stripe_customer_id AS customer
