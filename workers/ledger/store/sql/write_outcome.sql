-- What a batch has come to, all at once; answers how many rows each part wrote, which is checked before the COMMIT.
-- The parameters are columns of rows: $1-$24 transactions, $25-$32 postings, $33-$40 new lots, $41-$43 changed lots,
-- $44-$52 new accounts, $53-$60 changed accounts, $61-$64 partitions.
WITH entry AS (
    SELECT *
    FROM unnest(
        $1::integer[], $2::bigint[], $3::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::bigint[], $8::bigint[],
        $9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::uuid[], $16::text[],
        $17::text[], $18::text[], $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::timestamptz[],
        $24::timestamptz[]
    ) AS entry (
        partition, position, account_id, id, sequence, type, amount, balance_before,
        balance_after, app_id, origin, description, metadata, idempotency_key, refers_to, operation,
        reason, traceparent, balance, free_credits_remaining, total_earned, total_spent, created_at,
        completed_at
    )
),
new_transaction AS (
    INSERT INTO credits.transactions (
        partition, position, account_id, id, sequence, type, status, amount, balance_before,
        balance_after, app_id, origin, description, metadata, idempotency_key, refers_to, operation,
        reason, traceparent, balance, free_credits_remaining, total_earned, total_spent, created_at,
        completed_at
    )
    SELECT
        partition, position, account_id, id, sequence, type, 'completed', amount, balance_before,
        balance_after, app_id, origin, description, metadata::json, idempotency_key, refers_to, operation,
        reason, traceparent, balance, free_credits_remaining, total_earned, total_spent, created_at,
        completed_at
    FROM entry
    RETURNING 1
),
new_posting AS (
    INSERT INTO credits.postings (partition, position, number, account_id, source, destination, lot_id, amount)
    SELECT *
    FROM unnest(
        $25::integer[], $26::bigint[], $27::integer[], $28::uuid[], $29::text[], $30::text[], $31::uuid[], $32::bigint[]
    )
    RETURNING 1
),
new_lot AS (
    INSERT INTO credits.lots (account_id, id, kind, free, granted, remaining, expires_at, created_at)
    SELECT *
    FROM unnest(
        $33::uuid[], $34::uuid[], $35::text[], $36::boolean[], $37::bigint[], $38::bigint[], $39::timestamptz[],
        $40::timestamptz[]
    )
    RETURNING 1
),
changed_lot AS (
    UPDATE credits.lots AS lot
    SET remaining = change.remaining
    FROM unnest($41::uuid[], $42::uuid[], $43::bigint[]) AS change (account_id, id, remaining)
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
    FROM unnest(
        $44::uuid[], $45::bigint[], $46::bigint[], $47::bigint[], $48::bigint[], $49::bigint[], $50::boolean[],
        $51::date[], $52::text[]
    ) AS opened
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
    FROM unnest(
        $53::uuid[], $54::bigint[], $55::bigint[], $56::bigint[], $57::bigint[], $58::bigint[], $59::boolean[],
        $60::date[]
    ) AS change (
        account_id, balance, free_credits_remaining, total_earned, total_spent, sequence, frozen,
        last_daily
    )
    WHERE account.account_id = change.account_id
    RETURNING 1
),
counted_usage AS (
    INSERT INTO credits.usage_stats AS stats (account_id, app_id, day, uses, credits)
    SELECT account_id, app_id, (created_at AT TIME ZONE 'UTC')::date, count(*), -sum(amount)
    FROM entry
    WHERE type = 'usage'
    GROUP BY 1, 2, 3
    ON CONFLICT (account_id, day, app_id) DO UPDATE
    SET uses = stats.uses + excluded.uses,
        credits = stats.credits + excluded.credits
),
moved_partition AS (
    UPDATE credits.partitions AS partition
    SET position = progress.position,
        confirmed = greatest(partition.confirmed, progress.confirmed)
    FROM unnest($61::integer[], $62::bigint[], $63::bigint[], $64::bigint[])
        AS progress (partition, epoch, position, confirmed)
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
