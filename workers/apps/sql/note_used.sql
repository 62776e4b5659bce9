-- At most once in five minutes each: rounds are many, and nobody wants to know it better.
UPDATE auth.app_secrets SET last_used_at = now()
WHERE id = ANY($1::text[]) AND (last_used_at IS NULL OR last_used_at <= now() - interval '5 minutes')
