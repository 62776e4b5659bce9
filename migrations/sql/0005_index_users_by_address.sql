-- phase: expand
-- mana: no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_email_prefix ON auth.users (email_key COLLATE "C");
