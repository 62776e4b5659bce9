-- phase: expand
-- mana: no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS sessions_expiring ON auth.sessions (expires_at);
