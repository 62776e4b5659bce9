DELETE FROM credits.forgotten_customers WHERE stripe_customer_id = $1
