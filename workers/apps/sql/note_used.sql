-- At most once in five minutes each: looks are many, and nobody wants to know it better. A row that somebody changes is
-- left for the next look: whoever revokes several holds them in another order than this.
UPDATE auth.app_secrets SET last_used_at = now()
FROM (
    SELECT id FROM auth.app_secrets
    WHERE id = ANY($1::text[]) AND (last_used_at IS NULL OR last_used_at <= now() - interval '5 minutes')
    ORDER BY id FOR UPDATE SKIP LOCKED
) AS seen
WHERE app_secrets.id = seen.id
