-- phase: expand
-- Proves the checks of 0029 for the rows of before, while they are in use.
ALTER TABLE credits.balances VALIDATE CONSTRAINT balances_low_threshold;
ALTER TABLE credits.transactions VALIDATE CONSTRAINT transactions_low_threshold;
