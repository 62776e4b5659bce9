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
    revoked_secrets     text[]      NOT NULL DEFAULT '{}',
    CONSTRAINT apps_reserved CHECK (
        lower(id) NOT IN ('credits', 'mana', 'stripe', 'amq', 'system', 'user', 'session') AND lower(id) NOT LIKE 'mana-%')
);
COMMENT ON TABLE credits.apps IS 'Apps that may speak to the service. Never deleted: the ledger names them.';
COMMENT ON COLUMN credits.apps.commands_per_second IS 'NULL: as the workers'' settings have it; so is unanswered_max.';
COMMENT ON COLUMN credits.apps.revoked_secrets IS
    'Ids of secrets that were revoked one by one: the ledger refuses their logins, whatever the broker still lets in.';
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

-- An app with every secret that it ever had. broker_ready: the broker is as the rows say, with the logins of live secrets
-- as the app is now, and those of revoked ones gone.
CREATE VIEW auth.known_apps AS
SELECT apps.id, apps.name, apps.permissions, apps.commands_per_second, apps.unanswered_max, apps.created_at,
       apps.revoked_at, coalesce(secrets.listed, '[]')::text AS secrets, coalesce(secrets.ready, true) AS broker_ready
FROM credits.apps LEFT JOIN LATERAL (
    SELECT json_agg(json_build_object(
               'id', known.id, 'createdAt', known.created_at, 'revokedAt', known.revoked_at, 'ready', known.ready)
           ORDER BY known.created_at, known.id) AS listed,
           bool_and(known.ready) AS ready
    FROM (
        SELECT id, created_at, revoked_at,
               CASE WHEN revoked_at IS NULL THEN made_version IS NOT DISTINCT FROM apps.version
                    ELSE gone_at IS NOT NULL END AS ready
        FROM auth.app_secrets WHERE app_id = apps.id
    ) AS known
) AS secrets ON true;
CREATE FUNCTION auth.admin_list_apps(wanted_id text) RETURNS SETOF auth.known_apps
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.require_admin();
    RETURN QUERY SELECT known_apps.* FROM auth.known_apps
        WHERE wanted_id IS NULL OR known_apps.id = wanted_id ORDER BY known_apps.id;
END $$;
REVOKE ALL ON FUNCTION auth.admin_list_apps(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.admin_list_apps(text) TO mana_api;

-- What is done to apps, by the owner's hand (./mana apps) and below by administrators'. Whoever calls these holds the lock
-- and has judged that it can be done: an app that is revoked stays as it was.
CREATE FUNCTION credits.add_app(
    new_id text, new_name text, new_permissions text[], new_rate integer, new_unanswered integer
) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO credits.apps (id, name, permissions, commands_per_second, unanswered_max)
    VALUES (new_id, new_name, new_permissions, new_rate, new_unanswered);
END;
CREATE FUNCTION credits.change_app(
    wanted_id text, new_name text, new_permissions text[], new_rate integer, new_unanswered integer
) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    UPDATE credits.apps
    SET name = new_name, permissions = new_permissions, commands_per_second = new_rate,
        unanswered_max = new_unanswered, version = version + 1
    WHERE id = wanted_id AND revoked_at IS NULL;
END;
CREATE FUNCTION credits.revoke_app(wanted_id text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    UPDATE auth.app_secrets SET revoked_at = now() WHERE app_id = wanted_id AND revoked_at IS NULL;
    UPDATE credits.apps SET revoked_at = now(), version = version + 1 WHERE id = wanted_id AND revoked_at IS NULL;
END;
-- In whichever slot is free. Where none is, the row has none, and is refused.
CREATE FUNCTION auth.add_app_secret(owning_app text, new_id text, new_hash bytea) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO auth.app_secrets (id, app_id, slot, hash)
    SELECT new_id, apps.id, (
        SELECT min(slots.slot) FROM (VALUES (1::smallint), (2::smallint)) AS slots (slot)
        WHERE NOT EXISTS (
            SELECT FROM auth.app_secrets AS others
            WHERE others.app_id = apps.id AND others.slot = slots.slot AND others.revoked_at IS NULL)
    ), new_hash
    FROM credits.apps WHERE apps.id = owning_app AND apps.revoked_at IS NULL;
    UPDATE credits.apps SET version = version + 1 WHERE id = owning_app AND revoked_at IS NULL;
END;
CREATE FUNCTION auth.revoke_app_secret(owning_app text, wanted_id text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    UPDATE auth.app_secrets SET revoked_at = now()
    WHERE id = wanted_id AND app_id = owning_app AND revoked_at IS NULL;
    UPDATE credits.apps SET version = version + 1, revoked_secrets = revoked_secrets || wanted_id
    WHERE id = owning_app AND revoked_at IS NULL;
END;
REVOKE ALL ON FUNCTION credits.add_app(text, text, text[], integer, integer), credits.revoke_app(text),
    credits.change_app(text, text, text[], integer, integer), auth.add_app_secret(text, text, bytea),
    auth.revoke_app_secret(text, text) FROM PUBLIC;

-- Before each change: they go one after the other. Who reads apps does not wait.
CREATE FUNCTION auth.admin_lock_apps() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.require_admin();
    LOCK TABLE credits.apps IN SHARE ROW EXCLUSIVE MODE;
    PERFORM auth.require_admin();
END $$;
CREATE FUNCTION auth.admin_add_app(
    new_id text, new_name text, new_permissions text[], new_rate integer, new_unanswered integer
) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.admin_lock_apps();
    PERFORM credits.add_app(new_id, new_name, new_permissions, new_rate, new_unanswered);
END $$;
CREATE FUNCTION auth.admin_change_app(
    wanted_id text, new_name text, new_permissions text[], new_rate integer, new_unanswered integer
) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.admin_lock_apps();
    PERFORM credits.change_app(wanted_id, new_name, new_permissions, new_rate, new_unanswered);
END $$;
CREATE FUNCTION auth.admin_revoke_app(wanted_id text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.admin_lock_apps();
    PERFORM credits.revoke_app(wanted_id);
END $$;
CREATE FUNCTION auth.admin_add_app_secret(owning_app text, new_id text, new_hash bytea) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.admin_lock_apps();
    PERFORM auth.add_app_secret(owning_app, new_id, new_hash);
END $$;
CREATE FUNCTION auth.admin_revoke_app_secret(owning_app text, wanted_id text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.admin_lock_apps();
    PERFORM auth.revoke_app_secret(owning_app, wanted_id);
END $$;
REVOKE ALL ON FUNCTION auth.admin_lock_apps(), auth.admin_add_app(text, text, text[], integer, integer),
    auth.admin_change_app(text, text, text[], integer, integer), auth.admin_revoke_app(text),
    auth.admin_add_app_secret(text, text, bytea), auth.admin_revoke_app_secret(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.admin_lock_apps(), auth.admin_add_app(text, text, text[], integer, integer),
    auth.admin_change_app(text, text, text[], integer, integer), auth.admin_revoke_app(text),
    auth.admin_add_app_secret(text, text, bytea), auth.admin_revoke_app_secret(text, text) TO mana_api;

GRANT SELECT ON credits.apps TO mana_worker, mana_readonly, mana_apps;
GRANT USAGE ON SCHEMA mana, credits, auth TO mana_apps;
GRANT SELECT ON mana.migrations TO mana_apps;
GRANT SELECT, UPDATE (made_version, gone_at) ON auth.app_secrets TO mana_apps;
-- Nobody but who makes logins of them reads hashes.
GRANT SELECT (id, app_id, slot, created_at, revoked_at, made_version, gone_at) ON auth.app_secrets TO mana_readonly;
