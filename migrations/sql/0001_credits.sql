-- phase: expand
-- The ledger. Amounts are whole credits, times are UTC, columns are the wire names in snake_case.
-- The account id stands in every key, so that the tables can be distributed by it. There are no foreign keys to
-- balances: one look-up for each row on the hot path would tell only what the audit tells for nothing.

CREATE SCHEMA credits;

-- ---------------------------------------------------------------------------------------------- accounts and credits

CREATE TABLE credits.balances (
    account_id             uuid        NOT NULL PRIMARY KEY,
    balance                bigint      NOT NULL CHECK (balance >= 0),
    free_credits_remaining bigint      NOT NULL CHECK (free_credits_remaining >= 0),
    total_earned           bigint      NOT NULL CHECK (total_earned >= 0),
    total_spent            bigint      NOT NULL CHECK (total_spent >= 0),
    sequence               bigint      NOT NULL CHECK (sequence >= 0),
    frozen                 boolean     NOT NULL DEFAULT false,
    last_daily             date        NOT NULL,
    opening_key            text        NOT NULL CHECK (char_length(opening_key) BETWEEN 1 AND 200),
    created_at             timestamptz NOT NULL,
    CONSTRAINT balances_json_exact CHECK (balance + free_credits_remaining <= 9007199254740991)
) WITH (fillfactor = 70);
COMMENT ON TABLE credits.balances IS 'An account''s figures: paid and free credits, totals, its last sequence number.';
COMMENT ON COLUMN credits.balances.balance IS 'The paid part; free_credits_remaining is the free one.';
COMMENT ON COLUMN credits.balances.last_daily IS 'The UTC day up to which daily credits were granted.';
COMMENT ON COLUMN credits.balances.opening_key IS 'Idempotency key of the account.open that opened it.';

CREATE TABLE credits.lots (
    account_id uuid        NOT NULL,
    id         uuid        NOT NULL,
    kind       text        NOT NULL,
    free       boolean     NOT NULL,
    granted    bigint      NOT NULL CHECK (granted > 0),
    remaining  bigint      NOT NULL CHECK (remaining >= 0),
    expires_at timestamptz,
    created_at timestamptz NOT NULL,
    open       boolean     GENERATED ALWAYS AS (remaining > 0) STORED,
    PRIMARY KEY (account_id, id),
    CONSTRAINT lots_remaining_granted CHECK (remaining <= granted),
    CONSTRAINT lots_kind CHECK (
        (free AND kind IN ('signup', 'daily', 'promotion', 'bonus'))
        OR (NOT free AND kind IN ('purchase', 'adjustment'))
    )
) WITH (fillfactor = 70);
COMMENT ON TABLE credits.lots IS 'Credits of one origin, and what is left of them. Only remaining ever changes.';
-- The predicate names the generated column, not remaining: its value stays while the lot is open, so that burning a
-- part of a lot is a HOT update (measured: none at all was HOT with the predicate on remaining).
CREATE INDEX lots_open ON credits.lots (account_id) WHERE open;
CREATE INDEX lots_expiring ON credits.lots (expires_at) WHERE open AND expires_at IS NOT NULL;

-- ------------------------------------------------------------------------------------------- the ledger, append only

CREATE TABLE credits.transactions (
    partition              integer     NOT NULL,
    position               bigint      NOT NULL CHECK (position >= 1),
    account_id             uuid        NOT NULL,
    id                     uuid        NOT NULL,
    sequence               bigint      NOT NULL CHECK (sequence >= 1),
    type                   text        NOT NULL,
    status                 text        NOT NULL CHECK (status = 'completed'),
    amount                 bigint      NOT NULL,
    balance_before         bigint      NOT NULL CHECK (balance_before >= 0),
    balance_after          bigint      NOT NULL CHECK (balance_after BETWEEN 0 AND 9007199254740991),
    app_id                 text        CHECK (char_length(app_id) BETWEEN 1 AND 64),
    origin                 text        NOT NULL CHECK (origin IN ('app', 'user', 'system')),
    description            text        NOT NULL CHECK (char_length(description) BETWEEN 1 AND 500),
    metadata               json,
    idempotency_key        text        NOT NULL CHECK (char_length(idempotency_key) BETWEEN 1 AND 200),
    refers_to              uuid,
    operation              text        NOT NULL,
    reason                 text,
    traceparent            text,
    balance                bigint      NOT NULL CHECK (balance >= 0),
    free_credits_remaining bigint      NOT NULL CHECK (free_credits_remaining >= 0),
    total_earned           bigint      NOT NULL CHECK (total_earned >= 0),
    total_spent            bigint      NOT NULL CHECK (total_spent >= 0),
    created_at             timestamptz NOT NULL,
    completed_at           timestamptz NOT NULL,
    PRIMARY KEY (partition, position, account_id),
    CONSTRAINT transactions_one_per_key UNIQUE (account_id, idempotency_key),
    CONSTRAINT transactions_sequence UNIQUE (account_id, sequence),
    CONSTRAINT transactions_id UNIQUE (id, account_id),
    CONSTRAINT transactions_chain CHECK (balance_after = balance_before + amount),
    CONSTRAINT transactions_figures CHECK (balance_after = balance + free_credits_remaining),
    CONSTRAINT transactions_sign CHECK (
        CASE type
            WHEN 'usage' THEN amount < 0
            WHEN 'bonus' THEN amount > 0
            WHEN 'refund' THEN amount > 0
            WHEN 'purchase' THEN amount > 0
            WHEN 'expiry' THEN amount < 0
            WHEN 'clawback' THEN amount < 0
            WHEN 'adjustment' THEN amount <> 0
            ELSE false
        END
    ),
    CONSTRAINT transactions_usage_of_an_app CHECK (type <> 'usage' OR app_id IS NOT NULL),
    CONSTRAINT transactions_refund_of_a_usage CHECK (type <> 'refund' OR refers_to IS NOT NULL)
);
COMMENT ON TABLE credits.transactions IS
    'One business event of one account each; also the outbox of events, in the order of (partition, position).';
COMMENT ON COLUMN credits.transactions.position IS 'Place in the partition: rises by one in commit order.';
COMMENT ON COLUMN credits.transactions.amount IS 'Signed: what it added to the account.';
COMMENT ON COLUMN credits.transactions.metadata IS
    'The client''s own text, json and not jsonb: a replay answers it letter by letter. NULL stands for none.';
COMMENT ON COLUMN credits.transactions.operation IS 'What was asked, in canonical form: tells a replay from a conflict.';
COMMENT ON COLUMN credits.transactions.balance IS 'With the three columns after it: the account''s figures afterwards.';
CREATE INDEX transactions_refunds ON credits.transactions (account_id, refers_to) WHERE refers_to IS NOT NULL;

CREATE TABLE credits.postings (
    partition   integer NOT NULL,
    position    bigint  NOT NULL CHECK (position >= 1),
    number      integer NOT NULL CHECK (number >= 1),
    account_id  uuid    NOT NULL,
    source      text    NOT NULL,
    destination text    NOT NULL,
    lot_id      uuid    NOT NULL,
    amount      bigint  NOT NULL CHECK (amount > 0),
    asset       text    NOT NULL DEFAULT 'credit' CHECK (asset = 'credit'),
    PRIMARY KEY (partition, position, account_id, number),
    -- One side is the account, the other one the house: so the sides also differ.
    CONSTRAINT postings_sides CHECK (
        (source = account_id::text AND destination LIKE 'system:%')
        OR (destination = account_id::text AND source LIKE 'system:%')
    )
);
COMMENT ON TABLE credits.postings IS
    'What a transaction moved, out of or into one lot each: taken from source, given to destination.';

CREATE TABLE credits.keys (
    account_id             uuid        NOT NULL,
    idempotency_key        text        NOT NULL CHECK (char_length(idempotency_key) BETWEEN 1 AND 200),
    operation              text        NOT NULL,
    balance                bigint      NOT NULL CHECK (balance >= 0),
    free_credits_remaining bigint      NOT NULL CHECK (free_credits_remaining >= 0),
    total_earned           bigint      NOT NULL CHECK (total_earned >= 0),
    total_spent            bigint      NOT NULL CHECK (total_spent >= 0),
    created_at             timestamptz NOT NULL,
    reason                 text,
    PRIMARY KEY (account_id, idempotency_key)
);
COMMENT ON TABLE credits.keys IS 'Key and answer of commands that made no transaction (freeze, bare opening).';
COMMENT ON COLUMN credits.keys.reason IS 'Why the account was frozen or unfrozen, as its command said.';

CREATE TABLE credits.refusals (
    account_id      uuid        NOT NULL,
    idempotency_key text        NOT NULL,
    identity        text        NOT NULL,
    code            text        NOT NULL,
    message         text        NOT NULL,
    details         json        NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (account_id, idempotency_key, identity)
);
COMMENT ON TABLE credits.refusals IS 'What was refused stays refused when the same message comes again; kept a day.';
CREATE INDEX refusals_age ON credits.refusals (created_at);

CREATE TABLE credits.usage_stats (
    account_id uuid   NOT NULL,
    app_id     text   NOT NULL,
    day        date   NOT NULL,
    uses       bigint NOT NULL CHECK (uses >= 1),
    credits    bigint NOT NULL CHECK (credits >= 1),
    PRIMARY KEY (account_id, day, app_id)
) WITH (fillfactor = 70);
COMMENT ON TABLE credits.usage_stats IS 'Usages and the credits they took, by account, UTC day and app; before refunds.';

-- -------------------------------------------------------------------------------------------------- the workers' own

CREATE TABLE credits.partitions (
    partition integer NOT NULL PRIMARY KEY CHECK (partition >= 0),
    epoch     bigint  NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    position  bigint  NOT NULL DEFAULT 0,
    confirmed bigint  NOT NULL DEFAULT 0 CHECK (confirmed >= 0),
    CONSTRAINT partitions_mark CHECK (confirmed <= position)
) WITH (fillfactor = 10);
COMMENT ON TABLE credits.partitions IS
    'The fence: each owner raises the epoch; position is the last one given out, confirmed the last event published.';

CREATE TABLE credits.workers (
    id         text        NOT NULL PRIMARY KEY,
    name       text        NOT NULL,
    started_at timestamptz NOT NULL,
    heartbeat  timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE credits.workers IS 'Who lives: holds its own advisory lock, and gave a sign less than 10 s ago.';

-- ------------------------------------------------------------------------------------------------------------ buying

CREATE TABLE credits.packages (
    id               text    NOT NULL PRIMARY KEY,
    name             text    NOT NULL,
    description      text    NOT NULL,
    credits          bigint  NOT NULL CHECK (credits BETWEEN 1 AND 1000000000),
    price_euro_cents bigint  NOT NULL CHECK (price_euro_cents > 0),
    stripe_price_id  text,
    sort_order       integer NOT NULL,
    active           boolean NOT NULL DEFAULT true
);

CREATE TABLE credits.purchases (
    account_id                 uuid        NOT NULL,
    id                         uuid        NOT NULL,
    package_id                 text        NOT NULL REFERENCES credits.packages,
    credits                    bigint      NOT NULL CHECK (credits > 0),
    price_euro_cents           bigint      NOT NULL CHECK (price_euro_cents > 0),
    currency                   text        NOT NULL DEFAULT 'eur',
    status                     text        NOT NULL
        CHECK (status IN ('pending', 'completed', 'failed', 'refunded', 'disputed')),
    stripe_checkout_session_id text,
    stripe_payment_intent_id   text,
    created_at                 timestamptz NOT NULL,
    completed_at               timestamptz,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, stripe_checkout_session_id)
);
CREATE INDEX purchases_of_account ON credits.purchases (account_id, created_at DESC);

CREATE TABLE credits.stripe_events (
    id           text        NOT NULL PRIMARY KEY,
    type         text        NOT NULL,
    received_at  timestamptz NOT NULL,
    processed_at timestamptz
);
COMMENT ON TABLE credits.stripe_events IS 'Events of Stripe that were seen: each is worked off once.';

-- 100 credits are 1 euro.
INSERT INTO credits.packages (id, name, description, credits, price_euro_cents, sort_order) VALUES
    ('credits-500', 'Starter', '500 credits', 500, 500, 1),
    ('credits-1000', 'Basic', '1,000 credits', 1000, 1000, 2),
    ('credits-2500', 'Plus', '2,500 credits', 2500, 2500, 3),
    ('credits-5000', 'Pro', '5,000 credits', 5000, 5000, 4),
    ('credits-10000', 'Team', '10,000 credits', 10000, 10000, 5);

-- ------------------------------------------------------------------------------------------------- who may do what

REVOKE ALL ON SCHEMA credits FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA credits FROM PUBLIC;
GRANT USAGE ON SCHEMA credits TO mana_api, mana_worker, mana_readonly;

GRANT SELECT ON ALL TABLES IN SCHEMA credits TO mana_readonly;
GRANT SELECT ON credits.balances, credits.lots, credits.transactions, credits.postings, credits.keys, credits.refusals,
    credits.usage_stats, credits.packages, credits.purchases TO mana_api;

-- The worker appends to the ledger: it can neither change nor delete what stands there.
GRANT SELECT, INSERT ON credits.balances, credits.lots, credits.transactions, credits.postings, credits.keys,
    credits.refusals, credits.usage_stats TO mana_worker;
GRANT UPDATE (balance, free_credits_remaining, total_earned, total_spent, sequence, frozen, last_daily)
    ON credits.balances TO mana_worker;
GRANT UPDATE (remaining) ON credits.lots TO mana_worker;
GRANT UPDATE (uses, credits) ON credits.usage_stats TO mana_worker;
GRANT UPDATE (code, message, details, created_at), DELETE ON credits.refusals TO mana_worker;
GRANT SELECT, UPDATE (epoch, position, confirmed) ON credits.partitions TO mana_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON credits.workers TO mana_worker;

-- The front sees the rows of the user that it has set for its transaction, and none without one. The setting reads ''
-- once a transaction that set it is over. The owner is not bound (not forced), and mana_relay has no business here.
DO $policies$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['balances', 'lots', 'transactions', 'postings', 'keys', 'refusals', 'usage_stats',
        'purchases']
    LOOP
        EXECUTE format('ALTER TABLE credits.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_rows ON credits.%I FOR SELECT TO mana_api '
            'USING (account_id = nullif(current_setting(''app.user_id'', true), '''')::uuid)', name);
        EXECUTE format('CREATE POLICY all_rows ON credits.%I FOR SELECT TO mana_readonly USING (true)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['balances', 'lots', 'transactions', 'postings', 'keys', 'refusals', 'usage_stats']
    LOOP
        EXECUTE format('CREATE POLICY worker_reads ON credits.%I FOR SELECT TO mana_worker USING (true)', name);
        EXECUTE format('CREATE POLICY worker_adds ON credits.%I FOR INSERT TO mana_worker WITH CHECK (true)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['balances', 'lots', 'usage_stats', 'refusals']
    LOOP
        EXECUTE format('CREATE POLICY worker_changes ON credits.%I FOR UPDATE TO mana_worker USING (true)', name);
    END LOOP;
END
$policies$;
CREATE POLICY worker_prunes ON credits.refusals FOR DELETE TO mana_worker USING (true);
