WITH added AS (
    INSERT INTO usage_stats AS stats (account_id, day, hour, app_id, model, uses, credits, refunds, refunded)
    SELECT *
    FROM unnest($1::uuid[], $2::date[], $3::smallint[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[],
        $9::bigint[])
    ON CONFLICT (account_id, day, hour, app_id, model) DO UPDATE
    SET uses = stats.uses + excluded.uses, credits = stats.credits + excluded.credits,
        refunds = stats.refunds + excluded.refunds, refunded = stats.refunded + excluded.refunded
)
UPDATE usage_progress AS progress
SET sequence = reached.sequence
FROM unnest($10::uuid[], $11::bigint[]) AS reached (account_id, sequence)
WHERE progress.account_id = reached.account_id
