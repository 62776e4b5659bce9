-- phase: expand
-- mana: no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS sessions_live ON auth.sessions (user_id, id) WHERE ended_at IS NULL;
