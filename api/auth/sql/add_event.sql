INSERT INTO auth.security_events (id, user_id, session_id, type, subject_hash, address, user_agent, details)
VALUES ($1, $2, $3, $4, $5, $6::text::inet, $7, $8::json)
