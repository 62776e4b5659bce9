-- phase: expand
-- An erasure that fails again and again would keep all others waiting, since the oldest is always the next.
CREATE FUNCTION auth.put_off_erasure() RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    UPDATE auth.erasures SET due_at = now() + interval '1 hour'
    WHERE user_id = (
        SELECT user_id FROM auth.erasures WHERE due_at <= now() ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED);
END;
REVOKE ALL ON FUNCTION auth.put_off_erasure() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.put_off_erasure() TO mana_relay;
