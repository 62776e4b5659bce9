-- Of what happened before, all is counted: until the first transaction that is not, and until now where all are.
SELECT coalesce(
    (
        SELECT created_at FROM credits.transactions
        WHERE account_id = $1
          AND sequence = 1 + coalesce((SELECT sequence FROM credits.usage_progress WHERE account_id = $1), 0)
    ),
    now()) AS up_to
