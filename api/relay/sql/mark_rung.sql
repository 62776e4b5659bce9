-- Not what the mail worker has put off meanwhile.
UPDATE auth.mails SET due_at = now() + $2::interval
WHERE id = ANY($1::uuid[]) AND due_at <= now()
