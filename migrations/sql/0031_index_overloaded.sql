-- phase: expand
-- mana: no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS refusals_overloaded ON credits.refusals (created_at) WHERE code = 'overloaded';
