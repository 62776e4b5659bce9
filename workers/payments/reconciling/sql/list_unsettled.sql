-- Some of the paid purchases with a refund or a dispute that has not ended, behind the one of $1.
SELECT id::text AS id, stripe_payment_intent_id AS payment
FROM credits.purchases
WHERE paid AND id > $1::uuid AND (
    jsonb_path_exists(refunds, '$.*[1] ? (@ == "pending")') OR jsonb_path_exists(disputes, '$.*[1] ? (@ == "open")'))
ORDER BY id
LIMIT $2
