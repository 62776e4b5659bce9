-- Purchases that were paid within a day, after their user was deleted; each is found once, by one worker.
WITH late AS (
    INSERT INTO credits.late_payments (purchase_id)
    SELECT purchase.id
    FROM credits.purchases AS purchase
    JOIN credits.suspensions AS gone ON gone.account_id = purchase.account_id AND gone.reason = 'deleted'
    WHERE purchase.paid AND purchase.completed_at > now() - interval '1 day'
        AND purchase.completed_at > gone.created_at AND purchase.status <> 'refunded'
    ON CONFLICT DO NOTHING
    RETURNING purchase_id
)
SELECT purchase.id::text AS purchase_id, purchase.stripe_payment_intent_id AS payment_intent
FROM late JOIN credits.purchases AS purchase ON purchase.id = late.purchase_id
