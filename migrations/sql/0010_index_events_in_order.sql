-- phase: expand
-- mana: no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS security_events_in_order ON auth.security_events (created_at, id);
