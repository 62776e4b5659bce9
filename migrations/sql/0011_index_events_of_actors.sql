-- phase: expand
-- mana: no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS security_events_of_actor
ON auth.security_events (actor_id, created_at) WHERE actor_id IS NOT NULL;
