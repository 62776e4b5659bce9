-- Some of the purchases that were paid at $1 or later, behind the one of ($2, $3).
SELECT id::text AS id, completed_at, stripe_payment_intent_id AS payment
FROM credits.purchases
WHERE paid AND completed_at >= $1 AND (completed_at, id) > ($2, $3::uuid)
ORDER BY completed_at, id
LIMIT $4
