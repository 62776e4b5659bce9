-- phase: expand
-- mana: no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS refresh_tokens_sealed
ON auth.refresh_tokens (session_id) WHERE sealed_successor IS NOT NULL;
