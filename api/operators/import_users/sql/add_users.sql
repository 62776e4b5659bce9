-- Users with all that belongs to them, or none of it: whose address somebody has is left out. Answers which lines went
-- in. $1 the file's hash; by line: $2 number, $3 id, $4 address, $5 its key, $6 name, $7 password's hash, $8 whether the
-- address is proven, $9 balance, $10 id of the event.
WITH given AS (
    SELECT *
    FROM unnest($2::integer[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[], $9::bigint[],
                $10::uuid[]) AS line (number, id, email, email_key, name, hash, verified, balance, event_id)
),
added AS (
    INSERT INTO auth.users (id, email, email_key, name, email_verified)
    SELECT id, email, email_key, name, verified FROM given
    ON CONFLICT (email_key) DO NOTHING
    RETURNING id
),
password AS (
    INSERT INTO auth.passwords (user_id, hash)
    SELECT id, hash FROM given JOIN added USING (id) WHERE hash IS NOT NULL
),
event AS (
    INSERT INTO auth.security_events (id, user_id, type)
    SELECT event_id, id, 'user.imported' FROM given JOIN added USING (id)
)
INSERT INTO auth.imports (file_hash, line, user_id, balance)
SELECT $1, number, id, balance FROM given JOIN added USING (id)
RETURNING line
