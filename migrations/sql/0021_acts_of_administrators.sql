-- phase: expand
-- For an administrator's own export: what they did to others, and where they sat. Not to whom, nor what was told of it.

CREATE FUNCTION auth.list_acts_of_this_user(most integer, after_time timestamptz, after_id uuid)
RETURNS TABLE (id uuid, type text, address inet, user_agent text, created_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT events.id, events.type, events.address, events.user_agent, events.created_at
    FROM auth.security_events AS events
    WHERE events.actor_id = auth.this_user() AND events.user_id IS DISTINCT FROM auth.this_user()
      AND (events.created_at, events.id) > (coalesce(after_time, '-infinity'),
                                            coalesce(after_id, '00000000-0000-0000-0000-000000000000'))
    ORDER BY events.created_at, events.id
    LIMIT most;
END;

REVOKE ALL ON FUNCTION auth.list_acts_of_this_user(integer, timestamptz, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.list_acts_of_this_user(integer, timestamptz, uuid) TO mana_api;
