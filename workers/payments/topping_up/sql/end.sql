-- Top-ups whose purchase has ended: their users may be topped up again. Those that failed stay until that is told.
-- What another has locked is left for the next round: nothing waits here, so the order of the locks does not matter.
WITH ended AS MATERIALIZED (
    SELECT payment.purchase_id, payment.account_id, purchase.paid
    FROM credits.topup_payments AS payment
    JOIN credits.purchases AS purchase ON purchase.account_id = payment.account_id AND purchase.id = payment.purchase_id
    JOIN credits.topups ON topups.account_id = payment.account_id
    WHERE payment.state <> 'over' AND purchase.status <> 'pending' AND (purchase.paid OR payment.state = 'failed')
    FOR UPDATE OF payment, topups SKIP LOCKED
), freed AS (
    UPDATE credits.topups SET purchase_id = NULL
    FROM ended
    WHERE topups.account_id = ended.account_id AND topups.purchase_id = ended.purchase_id
)
UPDATE credits.topup_payments AS payment SET state = 'over'
FROM ended
WHERE payment.purchase_id = ended.purchase_id AND (payment.state <> 'failed' OR payment.told_at IS NOT NULL)
RETURNING ended.paid
