WITH gone AS (DELETE FROM auth.mails WHERE id = $1 AND claimed_until = $2 RETURNING id)
INSERT INTO auth.security_events (id, user_id, type, details)
SELECT $3, $4, 'mail.failed', $5::json FROM gone
