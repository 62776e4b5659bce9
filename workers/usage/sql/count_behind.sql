-- Counts what of these accounts' transactions is not known yet, from the ledger, at most $2 of each. Answers which
-- accounts went on.
WITH entry AS (
    SELECT entry.account_id, entry.sequence, entry.app_id, entry.type, entry.amount,
        entry.created_at AT TIME ZONE 'UTC' AS at,
        CASE
            WHEN progress.models_forgotten THEN ''
            WHEN entry.type = 'refund' THEN credits.model_of(usage.metadata)
            ELSE credits.model_of(entry.metadata)
        END AS model
    FROM usage_progress AS progress
    JOIN credits.transactions AS entry ON entry.account_id = progress.account_id
        AND entry.sequence > progress.sequence AND entry.sequence <= progress.sequence + $2::bigint
    LEFT JOIN credits.transactions AS usage
        ON entry.type = 'refund' AND usage.id = entry.refers_to AND usage.account_id = entry.account_id
    WHERE progress.account_id = ANY($1::uuid[])
),
added AS (
    INSERT INTO usage_stats AS stats (account_id, day, hour, app_id, model, uses, credits, refunds, refunded)
    SELECT account_id, at::date, date_part('hour', at), app_id, model,
        count(*) FILTER (WHERE type = 'usage'), coalesce(-sum(amount) FILTER (WHERE type = 'usage'), 0),
        count(*) FILTER (WHERE type = 'refund'), coalesce(sum(amount) FILTER (WHERE type = 'refund'), 0)
    FROM entry
    WHERE type IN ('usage', 'refund')
    GROUP BY 1, 2, 3, 4, 5
    ON CONFLICT (account_id, day, hour, app_id, model) DO UPDATE
    SET uses = stats.uses + excluded.uses, credits = stats.credits + excluded.credits,
        refunds = stats.refunds + excluded.refunds, refunded = stats.refunded + excluded.refunded
)
UPDATE usage_progress AS progress
SET sequence = reached.sequence
FROM (SELECT account_id, max(sequence) AS sequence FROM entry GROUP BY account_id) AS reached
WHERE progress.account_id = reached.account_id
RETURNING progress.account_id
