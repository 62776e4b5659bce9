-- phase: expand
-- mana: no-transaction
-- Of the kinds that each sign-in leaves there are enough among the newest events: they pay for no index.
CREATE INDEX CONCURRENTLY IF NOT EXISTS security_events_of_type ON auth.security_events (type, created_at, id)
    WHERE type NOT IN ('sign_in.succeeded', 'sign_in.failed', 'session.ended', 'refresh.retried', 'user.registered',
                       'admin.viewed');
