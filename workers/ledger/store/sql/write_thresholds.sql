-- $1 accounts with their new thresholds; answers how many were written.
WITH changed AS (
    UPDATE credits.balances AS account
    SET low_threshold = change.low_threshold
    FROM unnest($1::credits.threshold_row[]) AS change
    WHERE account.account_id = change.account_id
    RETURNING 1
)
SELECT count(*) AS accounts FROM changed
