-- phase: expand
-- When an app's secret was used last; and an administrator who ends all of a user's sessions ends the user's keys too.

ALTER TABLE auth.app_secrets ADD COLUMN last_used_at timestamptz;
COMMENT ON COLUMN auth.app_secrets.last_used_at IS
    'At the front, or as a login that the broker had a connection of; exact to five minutes.';
GRANT UPDATE (last_used_at) ON auth.app_secrets TO mana_apps;
GRANT SELECT (last_used_at) ON auth.app_secrets TO mana_readonly;

CREATE OR REPLACE VIEW auth.known_apps AS
SELECT apps.id, apps.name, apps.permissions, apps.commands_per_second, apps.unanswered_max, apps.created_at,
       apps.revoked_at, coalesce(secrets.listed, '[]')::text AS secrets, coalesce(secrets.ready, true) AS broker_ready
FROM credits.apps LEFT JOIN LATERAL (
    SELECT json_agg(json_build_object(
               'id', known.id, 'createdAt', known.created_at, 'revokedAt', known.revoked_at,
               'lastUsedAt', known.last_used_at, 'ready', known.ready)
           ORDER BY known.created_at, known.id) AS listed,
           bool_and(known.ready) AS ready
    FROM (
        SELECT id, created_at, revoked_at, last_used_at,
               CASE WHEN revoked_at IS NULL THEN made_version IS NOT DISTINCT FROM apps.version
                    ELSE gone_at IS NOT NULL END AS ready
        FROM auth.app_secrets WHERE app_id = apps.id
    ) AS known
) AS secrets ON true;

-- Of a secret that somebody has just shown to the front.
CREATE FUNCTION auth.note_app_secret_use(wanted text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    UPDATE auth.app_secrets SET last_used_at = now()
    WHERE id = wanted AND (last_used_at IS NULL OR last_used_at <= now() - interval '5 minutes');
END;

-- Answers the keys that it ended.
CREATE FUNCTION auth.admin_end_api_keys(target uuid) RETURNS SETOF text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM 1 FROM auth.admin_lock_user(target);
    RETURN QUERY UPDATE auth.api_keys SET revoked_at = now()
        WHERE user_id = target AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
        RETURNING id;
END $$;
REVOKE ALL ON FUNCTION auth.note_app_secret_use(text), auth.admin_end_api_keys(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.note_app_secret_use(text), auth.admin_end_api_keys(uuid) TO mana_api;
