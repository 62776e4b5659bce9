SELECT stripe_customer_id
FROM credits.customers
WHERE account_id = $1 AND livemode = $2
