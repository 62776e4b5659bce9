-- Every app with every secret that it ever had: logins of revoked ones must not be there, whoever brings them back.
SELECT apps.id, apps.permissions, apps.version, apps.revoked_at IS NOT NULL AS revoked,
       secrets.id AS secret_id,
       CASE WHEN apps.revoked_at IS NULL AND secrets.revoked_at IS NULL THEN secrets.hash END AS hash,
       secrets.made_version, secrets.gone_at IS NOT NULL AS gone,
       greatest(coalesce(extract(epoch FROM secrets.paused_until - now()), 0), 0)::float8 AS paused_s
FROM credits.apps LEFT JOIN auth.app_secrets AS secrets ON secrets.app_id = apps.id
ORDER BY apps.id, secrets.created_at
