-- phase: expand
-- Whoever wants to be told that their credits run low says below which number. A transaction that takes them from there to
-- below it carries the number, and so its event is followed by another. Programs of before leave both columns alone.
-- Both tables are large: their checks are NOT VALID until 0032, since nothing here may read them whole under its lock.

ALTER TABLE credits.balances
    ADD COLUMN low_threshold bigint,
    ADD CONSTRAINT balances_low_threshold CHECK (low_threshold BETWEEN 1 AND 1000000000) NOT VALID;
COMMENT ON COLUMN credits.balances.low_threshold IS 'Below so many credits, paid and free, the user is told. NULL: never.';
ALTER TABLE credits.transactions
    ADD COLUMN low_threshold bigint,
    ADD CONSTRAINT transactions_low_threshold
        CHECK (low_threshold > balance_after AND low_threshold <= balance_before) NOT VALID;
COMMENT ON COLUMN credits.transactions.low_threshold IS 'The account''s threshold, where this transaction crossed it.';

CREATE TYPE credits.threshold_row AS (
    account_id    uuid,
    low_threshold bigint
);
GRANT UPDATE (low_threshold) ON credits.balances TO mana_worker;
