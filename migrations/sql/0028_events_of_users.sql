-- phase: expand
-- What happens to users and sessions leaves as events, whichever statement did it. Programs of before write the rows all
-- the same; they wait for a relay that sends them.

CREATE TABLE auth.outbox_events (
    number     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    user_id    uuid        NOT NULL,
    type       text        NOT NULL CHECK (type ~ '^[a-z]+\.[a-z_]+$'),
    data       json        NOT NULL CHECK (octet_length(data::text) <= 4096),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE auth.outbox_events IS
    'Events that were committed with what they tell of, until the broker has confirmed them. Nothing personal is in them.';

CREATE FUNCTION auth.tell_of_user() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known CONSTANT auth.users := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    told  CONSTANT json := json_build_object('user', json_build_object(
        'id', known.id, 'role', known.role, 'emailVerified', known.email_verified,
        'createdAt', to_char(known.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')));
BEGIN
    INSERT INTO auth.outbox_events (user_id, type, data)
    SELECT known.id, happened.type, told
    FROM (VALUES
        (1, 'user.registered', TG_OP = 'INSERT'),
        (2, 'user.verified', TG_OP = 'UPDATE' AND NEW.email_verified AND NOT OLD.email_verified),
        (3, 'user.banned', TG_OP = 'UPDATE' AND OLD.banned_at IS NULL AND NEW.banned_at IS NOT NULL),
        (4, 'user.unbanned', TG_OP = 'UPDATE' AND OLD.banned_at IS NOT NULL AND NEW.banned_at IS NULL),
        (5, 'user.deleted', TG_OP = 'DELETE')
    ) AS happened (place, type, so)
    WHERE happened.so
    ORDER BY happened.place;
    RETURN NULL;
END $$;
CREATE TRIGGER users_told AFTER INSERT OR DELETE OR UPDATE OF email_verified, banned_at ON auth.users
FOR EACH ROW EXECUTE FUNCTION auth.tell_of_user();

-- A session that was deleted alive has ended too: its user is gone. One whose time was over had ended before.
CREATE FUNCTION auth.tell_of_session() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    INSERT INTO auth.outbox_events (user_id, type, data)
    VALUES (OLD.user_id, 'session.revoked', json_build_object(
        'sessionId', OLD.id, 'reason', CASE WHEN TG_OP = 'DELETE' THEN 'deleted' ELSE NEW.ended_reason END));
    RETURN NULL;
END $$;
CREATE TRIGGER session_end_told AFTER UPDATE OF ended_at ON auth.sessions
FOR EACH ROW WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL AND OLD.expires_at > clock_timestamp())
EXECUTE FUNCTION auth.tell_of_session();
CREATE TRIGGER session_loss_told AFTER DELETE ON auth.sessions
FOR EACH ROW WHEN (OLD.ended_at IS NULL AND OLD.expires_at > clock_timestamp())
EXECUTE FUNCTION auth.tell_of_session();

REVOKE ALL ON FUNCTION auth.tell_of_user(), auth.tell_of_session() FROM PUBLIC;
ALTER TABLE auth.outbox_events ENABLE ROW LEVEL SECURITY;
CREATE POLICY whole ON auth.outbox_events TO mana_relay USING (true);
CREATE POLICY whole_r ON auth.outbox_events FOR SELECT TO mana_readonly USING (true);
GRANT SELECT, DELETE ON auth.outbox_events TO mana_relay;
GRANT SELECT ON auth.outbox_events TO mana_readonly;
