-- Also a claim until then: bells that were rung before must not use up the attempts.
UPDATE auth.mails SET due_at = now() + $3::interval, claimed_until = now() + $3::interval
WHERE id = $1 AND claimed_until = $2
