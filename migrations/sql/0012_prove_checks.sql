-- phase: expand
-- Proves the checks of 0004 for the rows of before, while they are in use.
ALTER TABLE auth.users VALIDATE CONSTRAINT users_language;
ALTER TABLE auth.users VALIDATE CONSTRAINT users_epoch;
ALTER TABLE auth.users VALIDATE CONSTRAINT users_ban_reason;
ALTER TABLE auth.users VALIDATE CONSTRAINT users_ban;
ALTER TABLE auth.security_events VALIDATE CONSTRAINT security_events_details;
