-- $1 changed purchases; answers how many were written. The front may have noted the checkout session meanwhile.
WITH changed AS (
    UPDATE credits.purchases AS purchase
    SET status = change.status,
        stripe_payment_intent_id = change.stripe_payment_intent_id,
        stripe_checkout_session_id =
            coalesce(purchase.stripe_checkout_session_id, change.stripe_checkout_session_id),
        completed_at = change.completed_at,
        paid = change.completed_at IS NOT NULL,
        refunds = change.refunds::jsonb,
        disputes = change.disputes::jsonb,
        taken = change.taken,
        debt = change.debt,
        written_off = change.written_off,
        held = change.held
    FROM unnest($1::credits.purchase_row[]) AS change
    WHERE purchase.account_id = change.account_id
      AND purchase.id = change.id
    RETURNING 1
)
SELECT count(*) AS purchases FROM changed
