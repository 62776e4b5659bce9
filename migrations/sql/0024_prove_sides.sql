-- phase: expand
-- Proves the checks of 0023 for the rows of before, while they are in use.
ALTER TABLE credits.postings VALIDATE CONSTRAINT postings_sides;
ALTER TABLE credits.transactions VALIDATE CONSTRAINT transactions_sign;
ALTER TABLE credits.transactions VALIDATE CONSTRAINT transactions_clawback_of_a_purchase;
