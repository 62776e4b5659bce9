-- On, whatever it was switched off for; nothing where the package is none that can be bought. Who switches it on knows of
-- the money that went back before; who only changes it may not have been told yet.
INSERT INTO credits.topups
    (account_id, below, package_id, most_per_month, stripe_payment_method_id, livemode, money_back)
SELECT $1, $2, packages.id, $4, $5, $6, ARRAY(SELECT fact FROM credits.money_back WHERE account_id = $1)
FROM credits.packages
WHERE packages.id = $3 AND packages.active
ON CONFLICT (account_id) DO UPDATE SET below = excluded.below, package_id = excluded.package_id,
    most_per_month = excluded.most_per_month, stripe_payment_method_id = excluded.stripe_payment_method_id,
    livemode = excluded.livemode, enabled = true, disabled_reason = NULL, updated_at = now(),
    money_back = CASE WHEN topups.enabled THEN topups.money_back ELSE excluded.money_back END
RETURNING enabled, below, package_id, most_per_month AS max_per_month, disabled_reason, created_at, updated_at
