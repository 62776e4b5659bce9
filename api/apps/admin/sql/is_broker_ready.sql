-- Every live secret's login is of the app's version, and every revoked one's is gone.
SELECT NOT EXISTS (
    SELECT FROM auth.app_secrets AS secrets JOIN credits.apps ON apps.id = secrets.app_id
    WHERE secrets.app_id = $1
      AND CASE WHEN secrets.revoked_at IS NULL THEN secrets.made_version IS DISTINCT FROM apps.version
               ELSE secrets.gone_at IS NULL END)
