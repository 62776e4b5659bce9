-- phase: expand
-- Keys of users' own scripts, and what the front may know of an app that shows a secret or a token.

CREATE TABLE auth.api_keys (
    id           text        NOT NULL PRIMARY KEY CHECK (id ~ '^[a-z0-9]{12}$'),
    user_id      uuid        NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    hash         bytea       NOT NULL CHECK (octet_length(hash) = 32),
    scopes       text[]      NOT NULL CHECK (scopes <@ ARRAY['credits:read', 'credits:use'] AND scopes <> '{}'),
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz
);
COMMENT ON TABLE auth.api_keys IS 'What a user''s own script shows in place of an access token.';
COMMENT ON COLUMN auth.api_keys.hash IS 'SHA-256 of the whole key, of which 256 bits are random.';
CREATE INDEX api_keys_of_user ON auth.api_keys (user_id);

ALTER TABLE auth.api_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON auth.api_keys TO mana_api USING (user_id = auth.this_user());
CREATE POLICY whole_r ON auth.api_keys FOR SELECT TO mana_readonly USING (true);
GRANT SELECT, INSERT (id, user_id, name, hash, scopes, expires_at), UPDATE (last_used_at, revoked_at)
    ON auth.api_keys TO mana_api;
GRANT SELECT (id, user_id, name, scopes, created_at, expires_at, last_used_at, revoked_at)
    ON auth.api_keys TO mana_readonly;
