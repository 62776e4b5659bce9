-- phase: expand
-- Keys of users' own scripts, and what the front may know of an app that shows a secret or a token.

CREATE TABLE auth.api_keys (
    id           text        NOT NULL PRIMARY KEY CHECK (id ~ '^[a-z0-9]{12}$'),
    user_id      uuid        NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    hash         bytea       NOT NULL CHECK (octet_length(hash) = 32),
    scopes       text[]      NOT NULL CHECK (scopes <@ ARRAY['credits:read', 'credits:use'] AND scopes <> '{}'),
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz CHECK (expires_at <= created_at + interval '366 days'),
    last_used_at timestamptz,
    revoked_at   timestamptz
);
COMMENT ON TABLE auth.api_keys IS 'What a user''s own script shows in place of an access token.';
COMMENT ON COLUMN auth.api_keys.hash IS 'SHA-256 of the whole key, of which 256 bits are random.';
CREATE INDEX api_keys_of_user ON auth.api_keys (user_id);

ALTER TABLE auth.api_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON auth.api_keys TO mana_api USING (user_id = auth.this_user());
CREATE POLICY whole_r ON auth.api_keys FOR SELECT TO mana_readonly USING (true);
GRANT SELECT, INSERT (id, user_id, name, hash, scopes, expires_at), UPDATE (last_used_at, revoked_at), DELETE
    ON auth.api_keys TO mana_api;
GRANT SELECT (id, user_id, name, scopes, created_at, expires_at, last_used_at, revoked_at)
    ON auth.api_keys TO mana_readonly;

-- A ban ends keys for good, as it ends sessions.
CREATE FUNCTION auth.revoke_api_keys_of_banned() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    UPDATE auth.api_keys SET revoked_at = now() WHERE user_id = NEW.id AND revoked_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER ban_ends_api_keys AFTER UPDATE OF banned_at ON auth.users
FOR EACH ROW WHEN (OLD.banned_at IS NULL AND NEW.banned_at IS NOT NULL)
EXECUTE FUNCTION auth.revoke_api_keys_of_banned();

-- Narrow questions of the front, before a caller is known. Of a key that is good now, whose it is; "noted" tells whether
-- its use was written down within the last minute.
CREATE FUNCTION auth.find_api_key(wanted text)
RETURNS TABLE (
    user_id uuid, hash bytea, scopes text[], created_at timestamptz, expires_at timestamptz, noted boolean
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT api_keys.user_id, api_keys.hash, api_keys.scopes, api_keys.created_at, api_keys.expires_at,
           coalesce(api_keys.last_used_at > now() - interval '1 minute', false)
    FROM auth.api_keys JOIN auth.users ON users.id = api_keys.user_id
    WHERE api_keys.id = wanted AND api_keys.revoked_at IS NULL AND users.banned_at IS NULL
      AND (api_keys.expires_at IS NULL OR api_keys.expires_at > now());
END;
-- An app that shows a secret: what it may do, and the secrets that are good now. None of a revoked app.
CREATE FUNCTION auth.find_app(wanted text)
RETURNS TABLE (permissions text[], revoked boolean, secret_ids text[], hashes bytea[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT apps.permissions, apps.revoked_at IS NOT NULL, array_agg(secrets.id ORDER BY secrets.slot)
               FILTER (WHERE secrets.id IS NOT NULL),
           array_agg(secrets.hash ORDER BY secrets.slot) FILTER (WHERE secrets.id IS NOT NULL)
    FROM credits.apps LEFT JOIN auth.app_secrets AS secrets
      ON secrets.app_id = apps.id AND secrets.revoked_at IS NULL AND apps.revoked_at IS NULL
    WHERE apps.id = wanted
    GROUP BY apps.id;
END;
-- An app that shows a token: what it may do by now, NULL where the app or the secret behind the token is revoked.
CREATE FUNCTION auth.find_service(wanted_app text, wanted_secret text) RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT apps.permissions
    FROM credits.apps JOIN auth.app_secrets AS secrets ON secrets.app_id = apps.id
    WHERE apps.id = wanted_app AND apps.revoked_at IS NULL AND secrets.id = wanted_secret AND secrets.revoked_at IS NULL;
END;
REVOKE ALL ON FUNCTION auth.revoke_api_keys_of_banned(), auth.find_api_key(text), auth.find_app(text),
    auth.find_service(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.find_api_key(text), auth.find_app(text), auth.find_service(text, text) TO mana_api;
