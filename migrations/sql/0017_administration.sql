-- phase: expand
-- What administrators do, as whole acts: each locks by itself, a ban and another role end the user's sessions, commands
-- for the account stand in the outbox in the order of the acts. No program of before calls these functions.

-- Long lists are planned for what is asked: one plan for all would read the whole table. An empty prefix fits everybody,
-- in the order of registration.
CREATE OR REPLACE FUNCTION auth.admin_list_users(wanted_prefix text, after_id uuid, most integer)
RETURNS SETOF auth.users
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan AS $$ BEGIN
    PERFORM auth.require_admin();
    IF wanted_prefix = '' THEN
        RETURN QUERY SELECT users.* FROM auth.users
            WHERE after_id IS NULL OR users.id > after_id
            ORDER BY users.id LIMIT most;
    ELSE
        RETURN QUERY SELECT users.* FROM auth.users
            WHERE users.email_key COLLATE "C" ^@ wanted_prefix AND (after_id IS NULL OR users.id > after_id)
            ORDER BY users.id LIMIT most;
    END IF;
END $$;
ALTER FUNCTION auth.admin_list_events(uuid, text, timestamptz, timestamptz, uuid, integer)
    SET plan_cache_mode = force_custom_plan;

-- The lock of an act that nobody does to oneself: so whoever puts administrators out is one that stays.
CREATE FUNCTION auth.admin_lock_other(target uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM 1 FROM auth.admin_lock_user(target);
    IF NOT FOUND THEN
        RAISE no_data_found USING MESSAGE = 'no such user';
    END IF;
    IF target = auth.this_user() THEN
        RAISE insufficient_privilege USING MESSAGE = 'not on oneself';
    END IF;
END $$;

-- Answers the sessions that it ended.
DROP FUNCTION auth.admin_end_sessions(uuid, uuid, text);
CREATE FUNCTION auth.admin_end_sessions(target uuid, only_session uuid, reason text) RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM 1 FROM auth.admin_lock_user(target);
    PERFORM 1 FROM auth.sessions WHERE user_id = target AND ended_at IS NULL ORDER BY id FOR UPDATE;
    RETURN QUERY UPDATE auth.sessions SET ended_at = clock_timestamp(), ended_reason = reason
        WHERE user_id = target AND ended_at IS NULL AND (only_session IS NULL OR id = only_session)
        RETURNING id;
END $$;

-- Without a reason the ban is lifted. Answers the sessions that it ended.
DROP FUNCTION auth.admin_set_ban(uuid, text);
CREATE FUNCTION auth.admin_set_ban(target uuid, reason text) RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.admin_lock_other(target);
    UPDATE auth.users
    SET banned_at = CASE WHEN reason IS NULL THEN NULL ELSE now() END, ban_reason = reason,
        credential_epoch = credential_epoch + 1
    WHERE id = target;
    IF reason IS NULL THEN
        DELETE FROM credits.suspensions WHERE account_id = target AND suspensions.reason = 'banned';
    ELSE
        INSERT INTO credits.suspensions (account_id, reason) VALUES (target, 'banned') ON CONFLICT DO NOTHING;
        DELETE FROM auth.verification_tokens WHERE user_id = target;
        RETURN QUERY SELECT * FROM auth.admin_end_sessions(target, NULL, 'banned');
    END IF;
END $$;

-- Answers the sessions that it ended: their tokens tell the role of before.
DROP FUNCTION auth.admin_set_role(uuid, text);
CREATE FUNCTION auth.admin_set_role(target uuid, wanted_role text) RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.admin_lock_other(target);
    UPDATE auth.users SET role = wanted_role, credential_epoch = credential_epoch + 1 WHERE id = target;
    RETURN QUERY SELECT * FROM auth.admin_end_sessions(target, NULL, 'revoked');
END $$;

-- Its time is that of the act, not of the transaction's beginning: who waited for the lock comes behind who had it.
CREATE OR REPLACE FUNCTION auth.admin_add_command(new_id uuid, target uuid, new_command text, new_body json)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.admin_lock_other(target);
    IF new_command NOT IN ('account.freeze', 'account.unfreeze') THEN
        RAISE insufficient_privilege USING MESSAGE = 'no command of an administrator''s act';
    END IF;
    INSERT INTO auth.outbox (id, user_id, command, body, created_at)
    VALUES (new_id, target, new_command, new_body, clock_timestamp());
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA auth FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.admin_end_sessions(uuid, uuid, text), auth.admin_set_ban(uuid, text),
    auth.admin_set_role(uuid, text) TO mana_api;
