-- Payments that Stripe had taken on, and that have failed since: an event has told the ledger, without the reason.
SELECT payment.purchase_id::text AS purchase_id, payment.stripe_payment_intent_id AS intent
FROM credits.topup_payments AS payment
JOIN credits.purchases AS purchase ON purchase.account_id = payment.account_id AND purchase.id = payment.purchase_id
WHERE payment.state IN ('waiting', 'stuck') AND purchase.status = 'failed'
LIMIT $1
