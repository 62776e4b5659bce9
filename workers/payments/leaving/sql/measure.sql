-- Customers of deleted users that Stripe still has, and their late payments that nobody has refunded.
SELECT
    (SELECT count(*) FROM credits.forgotten_customers) AS customers,
    (SELECT count(*) FROM credits.late_payments JOIN credits.purchases ON purchases.id = late_payments.purchase_id
        WHERE purchases.status = 'completed') AS late_payments
