-- For 120 s nobody else sends it; who was told to wait (postpone_mail) has been waiting in the same column.
UPDATE auth.mails SET claimed_until = now() + interval '120 s', attempts = attempts + 1
WHERE id = $1 AND (claimed_until IS NULL OR claimed_until <= now())
RETURNING id, kind, user_id, email, details::text AS details, attempts, created_at, claimed_until
