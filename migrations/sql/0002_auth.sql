-- phase: expand
-- Who users are, and how they prove it. Row-level security binds mana_api, which owns nothing, to the user that it names
-- in app.user_id for each transaction; before a user is known it goes through the functions at the end.

CREATE SCHEMA auth;
REVOKE ALL ON SCHEMA auth FROM PUBLIC;
GRANT USAGE ON SCHEMA auth TO mana_api, mana_relay, mana_readonly;

CREATE FUNCTION auth.this_user() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(pg_catalog.current_setting('app.user_id', true), '')::uuid;
-- After a transaction that set it, the setting reads '' instead of NULL.

CREATE TABLE auth.users (
    id             uuid PRIMARY KEY,
    email          text NOT NULL CHECK (length(email) BETWEEN 3 AND 320),
    email_key      text NOT NULL CHECK (length(email_key) BETWEEN 3 AND 640),
    name           text CHECK (length(name) BETWEEN 1 AND 200),
    role           text NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
    email_verified boolean NOT NULL DEFAULT false,
    banned_at      timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_email_key UNIQUE (email_key)
);
COMMENT ON COLUMN auth.users.email_key IS 'the address as it is looked up: NFKC, case folded';

CREATE TABLE auth.passwords (
    user_id    uuid PRIMARY KEY REFERENCES auth.users ON DELETE CASCADE,
    hash       text NOT NULL CHECK (hash ~ '^\$[a-z0-9-]+\$' AND length(hash) <= 512),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE auth.accounts (
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    issuer     text NOT NULL CHECK (length(issuer) BETWEEN 1 AND 500),
    subject    text NOT NULL CHECK (length(subject) BETWEEN 1 AND 500),
    email      text CHECK (length(email) <= 320),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT accounts_identity UNIQUE (issuer, subject)
);
CREATE INDEX accounts_of_user ON auth.accounts (user_id);
COMMENT ON TABLE auth.accounts IS 'identities at other issuers (OpenID Connect): issuer and subject, never the address';

CREATE TABLE auth.sessions (
    id             uuid PRIMARY KEY,
    user_id        uuid NOT NULL REFERENCES auth.users,
    device_id      text CHECK (length(device_id) BETWEEN 1 AND 200),
    device_name    text CHECK (length(device_name) BETWEEN 1 AND 200),
    address        inet,
    user_agent     text CHECK (length(user_agent) <= 500),
    generation     integer NOT NULL DEFAULT 1 CHECK (generation >= 1),
    rotated_at     timestamptz NOT NULL DEFAULT now(),
    created_at     timestamptz NOT NULL DEFAULT now(),
    last_active_at timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz NOT NULL,
    ended_at       timestamptz,
    ended_reason   text CHECK (ended_reason IN ('logout', 'reuse', 'revoked', 'banned', 'password', 'deleted')),
    CONSTRAINT sessions_owner UNIQUE (id, user_id),
    CONSTRAINT sessions_life CHECK (expires_at > created_at),
    CONSTRAINT sessions_end CHECK ((ended_at IS NULL) = (ended_reason IS NULL))
);
CREATE INDEX sessions_of_user ON auth.sessions (user_id);
CREATE INDEX sessions_ended ON auth.sessions (ended_at) WHERE ended_at IS NOT NULL;
COMMENT ON TABLE auth.sessions IS
    'one sign-in; a row is deleted only after the last access token of its session has expired';
COMMENT ON COLUMN auth.sessions.generation IS 'that of the one refresh token that is not spent';

CREATE TABLE auth.refresh_tokens (
    token_hash       bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    session_id       uuid NOT NULL,
    user_id          uuid NOT NULL,
    generation       integer NOT NULL CHECK (generation >= 1),
    sealed_successor bytea CHECK (length(sealed_successor) <= 200),
    created_at       timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz NOT NULL,
    CONSTRAINT refresh_tokens_generation UNIQUE (session_id, generation),
    CONSTRAINT refresh_tokens_life CHECK (expires_at > created_at),
    FOREIGN KEY (session_id, user_id) REFERENCES auth.sessions (id, user_id) ON DELETE CASCADE
);
COMMENT ON TABLE auth.refresh_tokens IS
    'by hash, spent ones too, so that the use of a spent one is told from that of an unknown one';
COMMENT ON COLUMN auth.refresh_tokens.sealed_successor IS
    'the next token, readable only with this one, for whoever lost the answer; cleared when the next one is used';

CREATE TABLE auth.verification_tokens (
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    purpose    text NOT NULL CHECK (purpose IN ('email_verify', 'email_change', 'password_reset', 'two_factor')),
    token_hash bytea NOT NULL CHECK (length(token_hash) = 32),
    email      text CHECK (length(email) <= 320),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    CONSTRAINT verification_tokens_hash UNIQUE (purpose, token_hash),
    CONSTRAINT verification_tokens_life CHECK (expires_at > created_at)
);
CREATE INDEX verification_tokens_of_user ON auth.verification_tokens (user_id, purpose);

CREATE TABLE auth.two_factor_auth (
    user_id         uuid PRIMARY KEY REFERENCES auth.users ON DELETE CASCADE,
    sealed_secret   bytea NOT NULL CHECK (length(sealed_secret) <= 200),
    recovery_hashes bytea[] NOT NULL DEFAULT '{}' CHECK (cardinality(recovery_hashes) <= 20),
    last_step       bigint NOT NULL DEFAULT 0 CHECK (last_step >= 0),
    failures        integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    locked_until    timestamptz,
    enabled_at      timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN auth.two_factor_auth.last_step IS 'the last time step whose code was accepted; no code counts twice';

CREATE TABLE auth.security_events (
    id           uuid PRIMARY KEY,
    user_id      uuid,
    session_id   uuid,
    type         text NOT NULL CHECK (type ~ '^[a-z_]+(\.[a-z_]+)*$' AND length(type) <= 60),
    subject_hash bytea CHECK (length(subject_hash) = 32),
    address      inet,
    user_agent   text CHECK (length(user_agent) <= 500),
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX security_events_of_user ON auth.security_events (user_id, created_at);
COMMENT ON TABLE auth.security_events IS 'outlives its users, so it refers to them by id alone';
COMMENT ON COLUMN auth.security_events.subject_hash IS
    'keyed hash of an address that nobody has: people type passwords there';

CREATE TABLE auth.signing_keys (
    kid                text PRIMARY KEY CHECK (kid ~ '^[A-Za-z0-9_-]{43}$'),
    algorithm          text NOT NULL CHECK (algorithm IN ('EdDSA', 'RS256')),
    public_jwk         json NOT NULL CHECK (public_jwk ->> 'd' IS NULL),
    sealed_private_key bytea NOT NULL CHECK (length(sealed_private_key) <= 8192),
    created_at         timestamptz NOT NULL DEFAULT now(),
    retired_at         timestamptz
);
COMMENT ON COLUMN auth.signing_keys.kid IS 'the key''s thumbprint (RFC 7638)';

CREATE TABLE auth.outbox (
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL,
    command    text NOT NULL CHECK (command ~ '^[a-z]+\.[a-z]+$'),
    body       json NOT NULL CHECK (octet_length(body::text) <= 65536),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_in_order ON auth.outbox (created_at, id);
CREATE INDEX outbox_of_user ON auth.outbox (user_id);
COMMENT ON TABLE auth.outbox IS 'commands that were committed with what caused them, until the broker has confirmed them';

-- Every front process forgets an ended session within moments, whichever statement ended it.
CREATE FUNCTION auth.announce_end_of_session() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pg_notify('mana_session_ended', OLD.id::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER session_ended AFTER UPDATE OF ended_at ON auth.sessions
FOR EACH ROW WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL)
EXECUTE FUNCTION auth.announce_end_of_session();
CREATE TRIGGER session_deleted AFTER DELETE ON auth.sessions
FOR EACH ROW EXECUTE FUNCTION auth.announce_end_of_session();

-- What each role may do at all.
GRANT SELECT ON auth.users, auth.passwords, auth.accounts, auth.sessions, auth.refresh_tokens,
    auth.verification_tokens, auth.two_factor_auth, auth.security_events, auth.signing_keys, auth.outbox TO mana_api;
GRANT INSERT (id, email, email_key, name), UPDATE (name) ON auth.users TO mana_api;
GRANT INSERT, UPDATE (hash, updated_at) ON auth.passwords TO mana_api;
GRANT INSERT, DELETE ON auth.accounts TO mana_api;
GRANT INSERT, UPDATE (generation, rotated_at, last_active_at, ended_at, ended_reason) ON auth.sessions TO mana_api;
GRANT INSERT, UPDATE (sealed_successor) ON auth.refresh_tokens TO mana_api;
GRANT INSERT, UPDATE (used_at) ON auth.verification_tokens TO mana_api;
GRANT INSERT, UPDATE, DELETE ON auth.two_factor_auth TO mana_api;
GRANT INSERT ON auth.security_events TO mana_api;
GRANT INSERT, UPDATE (retired_at) ON auth.signing_keys TO mana_api;
GRANT INSERT, DELETE ON auth.outbox TO mana_api;

GRANT SELECT, DELETE ON auth.outbox TO mana_relay;

GRANT SELECT ON auth.users, auth.accounts, auth.sessions, auth.security_events, auth.outbox TO mana_readonly;
GRANT SELECT (user_id, updated_at) ON auth.passwords TO mana_readonly;
GRANT SELECT (session_id, user_id, generation, created_at, expires_at) ON auth.refresh_tokens TO mana_readonly;
GRANT SELECT (id, user_id, purpose, email, created_at, expires_at, used_at) ON auth.verification_tokens TO mana_readonly;
GRANT SELECT (user_id, last_step, failures, locked_until, enabled_at, created_at) ON auth.two_factor_auth
    TO mana_readonly;
GRANT SELECT (kid, algorithm, public_jwk, created_at, retired_at) ON auth.signing_keys TO mana_readonly;

-- Which rows of it.
ALTER TABLE auth.users ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth.passwords ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth.accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth.sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth.refresh_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth.verification_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth.two_factor_auth ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth.security_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth.signing_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth.outbox ENABLE ROW LEVEL SECURITY;

CREATE POLICY own ON auth.users TO mana_api USING (id = auth.this_user());
CREATE POLICY own ON auth.passwords TO mana_api USING (user_id = auth.this_user());
CREATE POLICY own ON auth.accounts TO mana_api USING (user_id = auth.this_user());
CREATE POLICY own ON auth.refresh_tokens TO mana_api USING (user_id = auth.this_user());
CREATE POLICY own ON auth.verification_tokens TO mana_api USING (user_id = auth.this_user());
CREATE POLICY own ON auth.two_factor_auth TO mana_api USING (user_id = auth.this_user());
CREATE POLICY own ON auth.outbox TO mana_api USING (user_id = auth.this_user());

CREATE POLICY own ON auth.sessions FOR SELECT TO mana_api USING (user_id = auth.this_user());
CREATE POLICY own_new ON auth.sessions FOR INSERT TO mana_api WITH CHECK (user_id = auth.this_user());
-- Nothing brings an ended session back: neither an update nor a lock for one finds it.
CREATE POLICY own_live ON auth.sessions FOR UPDATE TO mana_api
    USING (user_id = auth.this_user() AND ended_at IS NULL) WITH CHECK (user_id = auth.this_user());

CREATE POLICY own ON auth.security_events FOR SELECT TO mana_api USING (user_id = auth.this_user());
CREATE POLICY own_or_nobodys ON auth.security_events FOR INSERT TO mana_api
    WITH CHECK (user_id IS NULL OR user_id = auth.this_user());

CREATE POLICY everyones ON auth.signing_keys TO mana_api USING (true);
CREATE POLICY whole ON auth.outbox TO mana_relay USING (true);

CREATE POLICY whole_r ON auth.users FOR SELECT TO mana_readonly USING (true);
CREATE POLICY whole_r ON auth.passwords FOR SELECT TO mana_readonly USING (true);
CREATE POLICY whole_r ON auth.accounts FOR SELECT TO mana_readonly USING (true);
CREATE POLICY whole_r ON auth.sessions FOR SELECT TO mana_readonly USING (true);
CREATE POLICY whole_r ON auth.refresh_tokens FOR SELECT TO mana_readonly USING (true);
CREATE POLICY whole_r ON auth.verification_tokens FOR SELECT TO mana_readonly USING (true);
CREATE POLICY whole_r ON auth.two_factor_auth FOR SELECT TO mana_readonly USING (true);
CREATE POLICY whole_r ON auth.security_events FOR SELECT TO mana_readonly USING (true);
CREATE POLICY whole_r ON auth.signing_keys FOR SELECT TO mana_readonly USING (true);
CREATE POLICY whole_r ON auth.outbox FOR SELECT TO mana_readonly USING (true);

-- Before a user is known: each answers one narrow question, with the owner's rights.
CREATE FUNCTION auth.find_sign_in(wanted_email_key text)
RETURNS TABLE (user_id uuid, password_hash text, banned boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
BEGIN ATOMIC
    SELECT users.id, passwords.hash, users.banned_at IS NOT NULL
    FROM auth.users LEFT JOIN auth.passwords ON passwords.user_id = users.id
    WHERE users.email_key = wanted_email_key;
END;

CREATE FUNCTION auth.find_refresh_token_owner(wanted_hash bytea) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
BEGIN ATOMIC
    SELECT refresh_tokens.user_id FROM auth.refresh_tokens WHERE refresh_tokens.token_hash = wanted_hash;
END;

CREATE FUNCTION auth.list_ended_sessions(since timestamptz) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
BEGIN ATOMIC
    SELECT sessions.id FROM auth.sessions WHERE sessions.ended_at >= since;
END;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA auth FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.this_user() TO mana_api;
GRANT EXECUTE ON FUNCTION auth.find_sign_in(text), auth.find_refresh_token_owner(bytea),
    auth.list_ended_sessions(timestamptz) TO mana_api;
