-- phase: expand
-- The rows of a batch, as parameters of the statements that write them (workers/ledger/store/sql/write_*.sql): an array
-- of rows costs the driver and the server far less than an array for each column.
-- A type is never altered, since a running worker sends the rows that it was written for: another shape is another type.

CREATE TYPE credits.transaction_row AS (
    partition              integer,
    position               bigint,
    account_id             uuid,
    id                     uuid,
    sequence               bigint,
    type                   text,
    amount                 bigint,
    balance_before         bigint,
    balance_after          bigint,
    app_id                 text,
    origin                 text,
    description            text,
    metadata               text,
    idempotency_key        text,
    refers_to              uuid,
    operation              text,
    reason                 text,
    traceparent            text,
    balance                bigint,
    free_credits_remaining bigint,
    total_earned           bigint,
    total_spent            bigint
);

CREATE TYPE credits.posting_row AS (
    partition   integer,
    position    bigint,
    number      integer,
    account_id  uuid,
    source      text,
    destination text,
    lot_id      uuid,
    amount      bigint
);

CREATE TYPE credits.lot_row AS (
    account_id uuid,
    id         uuid,
    kind       text,
    free       boolean,
    granted    bigint,
    remaining  bigint,
    expires_at timestamptz,
    created_at timestamptz
);

CREATE TYPE credits.lot_left_row AS (
    account_id uuid,
    id         uuid,
    remaining  bigint
);

CREATE TYPE credits.balance_row AS (
    account_id             uuid,
    balance                bigint,
    free_credits_remaining bigint,
    total_earned           bigint,
    total_spent            bigint,
    sequence               bigint,
    frozen                 boolean,
    last_daily             date,
    opening_key            text
);

CREATE TYPE credits.partition_row AS (
    partition integer,
    epoch     bigint,
    position  bigint,
    confirmed bigint
);

CREATE TYPE credits.key_row AS (
    account_id             uuid,
    idempotency_key        text,
    operation              text,
    reason                 text,
    balance                bigint,
    free_credits_remaining bigint,
    total_earned           bigint,
    total_spent            bigint
);

CREATE TYPE credits.refusal_row AS (
    account_id      uuid,
    idempotency_key text,
    identity        text,
    code            text,
    message         text,
    details         text
);
