SELECT id, permissions, commands_per_second, unanswered_max, revoked_at IS NOT NULL AS revoked, revoked_secrets
FROM credits.apps
