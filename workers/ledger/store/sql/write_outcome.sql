-- What a batch has come to, all at once; answers how many rows each part wrote, which is checked before the COMMIT.
-- Times are the transaction's own now(), which the fence has told the rules.
-- $8 the threshold that each transaction crossed, in the order of $1; empty where none crossed any.
-- $1 transactions, $2 postings, $3 new lots, $4 changed lots, $5 new accounts, $6 changed accounts, $7 partitions.
WITH entry AS (
    SELECT * FROM unnest($1::credits.transaction_row[], $8::bigint[])
        AS entry (
            partition, position, account_id, id, sequence, type, amount, balance_before, balance_after, app_id, origin,
            description, metadata, idempotency_key, refers_to, operation, reason, traceparent, balance,
            free_credits_remaining, total_earned, total_spent, low_threshold
        )
),
new_transaction AS (
    INSERT INTO credits.transactions (
        partition, position, account_id, id, sequence, type, status, amount, balance_before,
        balance_after, app_id, origin, description, metadata, idempotency_key, refers_to, operation,
        reason, traceparent, balance, free_credits_remaining, total_earned, total_spent, created_at,
        completed_at, low_threshold
    )
    SELECT
        partition, position, account_id, id, sequence, type, 'completed', amount, balance_before,
        balance_after, app_id, origin, description, metadata::json, idempotency_key, refers_to, operation,
        reason, traceparent, balance, free_credits_remaining, total_earned, total_spent, now(), now(),
        low_threshold
    FROM entry
    RETURNING 1
),
new_posting AS (
    INSERT INTO credits.postings (partition, position, number, account_id, source, destination, lot_id, amount)
    SELECT * FROM unnest($2::credits.posting_row[])
    RETURNING 1
),
new_lot AS (
    INSERT INTO credits.lots (account_id, id, kind, free, granted, remaining, expires_at, created_at)
    SELECT * FROM unnest($3::credits.lot_row[])
    RETURNING 1
),
changed_lot AS (
    UPDATE credits.lots AS lot
    SET remaining = change.remaining
    FROM unnest($4::credits.lot_left_row[]) AS change
    WHERE lot.account_id = change.account_id
      AND lot.id = change.id
    RETURNING 1
),
new_account AS (
    INSERT INTO credits.balances (
        account_id, balance, free_credits_remaining, total_earned, total_spent, sequence, frozen, last_daily,
        opening_key, created_at
    )
    SELECT opened.*, now()
    FROM unnest($5::credits.balance_row[]) AS opened
    RETURNING 1
),
changed_account AS (
    UPDATE credits.balances AS account
    SET balance = change.balance,
        free_credits_remaining = change.free_credits_remaining,
        total_earned = change.total_earned,
        total_spent = change.total_spent,
        sequence = change.sequence,
        frozen = change.frozen,
        last_daily = change.last_daily
    FROM unnest($6::credits.balance_row[]) AS change
    WHERE account.account_id = change.account_id
    RETURNING 1
),
moved_partition AS (
    UPDATE credits.partitions AS partition
    SET position = progress.position,
        confirmed = greatest(partition.confirmed, progress.confirmed)
    FROM unnest($7::credits.partition_row[]) AS progress
    WHERE partition.partition = progress.partition
      AND partition.epoch = progress.epoch
    RETURNING 1
)
SELECT
    (SELECT count(*) FROM new_transaction) AS transactions,
    (SELECT count(*) FROM new_posting) AS postings,
    (SELECT count(*) FROM new_lot) AS new_lots,
    (SELECT count(*) FROM changed_lot) AS changed_lots,
    (SELECT count(*) FROM new_account) AS new_accounts,
    (SELECT count(*) FROM changed_account) AS changed_accounts,
    (SELECT count(*) FROM moved_partition) AS partitions
