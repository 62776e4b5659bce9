-- What is known of a payment that did not fail.
UPDATE credits.topup_payments SET state = $2, stripe_payment_intent_id = $3, due_at = now() + $4::interval
WHERE purchase_id = $1 AND state = 'asking'
