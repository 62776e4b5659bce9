-- The first one told; what the ledger has written meanwhile stays.
UPDATE credits.purchases SET stripe_checkout_session_id = $3, checkout_url = $4
WHERE account_id = $1 AND id = $2 AND status = 'pending' AND stripe_checkout_session_id IS NULL
