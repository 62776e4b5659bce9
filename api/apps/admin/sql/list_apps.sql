-- By their ids, the one that $1 names or all. Of the secrets those that let somebody in, or may still do.
SELECT apps.id, apps.name, apps.permissions, apps.commands_per_second, apps.unanswered_max, apps.created_at,
       apps.revoked_at,
       coalesce((
           SELECT json_agg(json_build_object(
                      'id', secrets.id, 'createdAt', secrets.created_at, 'revokedAt', secrets.revoked_at,
                      'ready', secrets.revoked_at IS NULL AND secrets.made_version IS NOT DISTINCT FROM apps.version)
                  ORDER BY secrets.created_at, secrets.id)
           FROM auth.app_secrets AS secrets
           WHERE secrets.app_id = apps.id AND (secrets.revoked_at IS NULL OR secrets.gone_at IS NULL)
       ), '[]')::text AS secrets
FROM credits.apps AS apps
WHERE $1::text IS NULL OR apps.id = $1
ORDER BY apps.id
