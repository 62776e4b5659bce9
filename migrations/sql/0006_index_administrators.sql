-- phase: expand
-- mana: no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_admins ON auth.users (id) WHERE role = 'admin';
