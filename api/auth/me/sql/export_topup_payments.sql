SELECT purchase_id, livemode, stripe_customer_id, stripe_payment_method_id, state, stripe_payment_intent_id, reason,
       failed_at, begun_at
FROM credits.topup_payments
WHERE account_id = auth.this_user()
  AND (begun_at, purchase_id) > (coalesce($2, '-infinity'::timestamptz),
                                 coalesce($3, '00000000-0000-0000-0000-000000000000'::uuid))
ORDER BY begun_at, purchase_id
LIMIT $1
