-- phase: expand
-- Apps: who they are, what they may do, and their secrets. The rows are the truth; the broker's logins are made of them
-- (workers/apps). Programs of before know none of it, and treat each app as the contract's.

CREATE TABLE credits.apps (
    id                  text        NOT NULL PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9_-]{1,64}$'),
    name                text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    permissions         text[]      NOT NULL CHECK (permissions <@ ARRAY['credits:use', 'credits:refund',
        'credits:grant', 'credits:adjust', 'events:read', 'users:read', 'admin']),
    commands_per_second integer     CHECK (commands_per_second > 0),
    unanswered_max      integer     CHECK (unanswered_max > 0),
    version             integer     NOT NULL DEFAULT 1 CHECK (version >= 1),
    created_at          timestamptz NOT NULL DEFAULT now(),
    revoked_at          timestamptz,
    CONSTRAINT apps_reserved CHECK (
        lower(id) NOT IN ('credits', 'mana', 'stripe', 'amq', 'system', 'user', 'session') AND lower(id) NOT LIKE 'mana-%')
);
COMMENT ON TABLE credits.apps IS 'Apps that may speak to the service. Never deleted: the ledger names them.';
COMMENT ON COLUMN credits.apps.commands_per_second IS 'NULL: as the workers'' settings have it; so is unanswered_max.';
COMMENT ON COLUMN credits.apps.version IS 'Rises with each change: what was made at the broker of an older one is stale.';

CREATE TABLE auth.app_secrets (
    id           text        NOT NULL PRIMARY KEY CHECK (id ~ '^[a-z0-9]{12}$'),
    app_id       text        NOT NULL REFERENCES credits.apps,
    slot         smallint    NOT NULL CHECK (slot IN (1, 2)),
    hash         bytea       NOT NULL CHECK (octet_length(hash) = 36),
    created_at   timestamptz NOT NULL DEFAULT now(),
    revoked_at   timestamptz,
    made_version integer,
    gone_at      timestamptz
);
COMMENT ON TABLE auth.app_secrets IS 'Two at a time for each app, so that one can replace the other without an outage.';
COMMENT ON COLUMN auth.app_secrets.hash IS
    'Four random bytes, and the SHA-256 of them and the secret: RabbitMQ''s own form, so that its login is made of it.';
COMMENT ON COLUMN auth.app_secrets.made_version IS 'Of which version of its app the broker''s login was last made.';
COMMENT ON COLUMN auth.app_secrets.gone_at IS 'When the login of a revoked secret was gone, and its connections closed.';
CREATE UNIQUE INDEX app_secrets_live ON auth.app_secrets (app_id, slot) WHERE revoked_at IS NULL;

-- Who keeps apps in memory, or makes their logins, hears of each change.
CREATE FUNCTION credits.announce_apps() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM pg_notify('mana_apps', '');
    RETURN NULL;
END $$;
CREATE TRIGGER apps_changed AFTER INSERT OR UPDATE ON credits.apps
FOR EACH STATEMENT EXECUTE FUNCTION credits.announce_apps();
CREATE TRIGGER app_secrets_changed AFTER INSERT OR UPDATE OF revoked_at ON auth.app_secrets
FOR EACH STATEMENT EXECUTE FUNCTION credits.announce_apps();

GRANT SELECT ON credits.apps TO mana_worker, mana_readonly, mana_apps;
GRANT USAGE ON SCHEMA mana, credits, auth TO mana_apps;
GRANT SELECT ON mana.migrations TO mana_apps;
GRANT SELECT, UPDATE (made_version, gone_at) ON auth.app_secrets TO mana_apps;
GRANT SELECT (id, app_id, slot, created_at, revoked_at, made_version, gone_at) ON auth.app_secrets TO mana_readonly;
