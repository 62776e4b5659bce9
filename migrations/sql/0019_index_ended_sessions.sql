-- phase: expand
-- mana: no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS sessions_ended ON auth.sessions (ended_at) WHERE ended_at IS NOT NULL;
