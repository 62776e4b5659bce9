-- Once for all who were told of the same failure.
UPDATE credits.purchases SET checkout_attempt = $3 + 1
WHERE account_id = $1 AND id = $2 AND checkout_attempt = $3 AND status = 'pending'
  AND stripe_checkout_session_id IS NULL
