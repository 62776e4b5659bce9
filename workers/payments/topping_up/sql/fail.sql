-- A payment has failed: for the first that says so, top-up is off and the user's mail is ordered, all at once.
WITH failed AS (
    UPDATE credits.topup_payments
    SET state = 'failed', stripe_payment_intent_id = coalesce($2, stripe_payment_intent_id), reason = $3,
        failed_at = now(), due_at = now(), tries = 0
    WHERE purchase_id = $1 AND state IN ('asking', 'waiting', 'stuck')
    RETURNING account_id, purchase_id
), off AS (
    UPDATE credits.topups SET enabled = false, disabled_reason = $3, updated_at = now()
    FROM failed
    WHERE topups.account_id = failed.account_id AND topups.purchase_id = failed.purchase_id
)
SELECT auth.order_topup_mail(purchase_id) FROM failed
