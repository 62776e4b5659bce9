"""What administrators may do to users, by the database's own judgement of who is one."""

from __future__ import annotations

import asyncio
from uuid import UUID

import asyncpg
import pytest

from ops.state import DATABASE_ROLES, DatabaseRole
from tests.integration.auth.rows import acting, add_session, add_token, add_user, new_id
from tests.integration.ledger.server import Database

ACTS = {  # how many times the user it is about is named
    "SELECT auth.admin_list_users('', NULL, 10)": 0,
    "SELECT auth.admin_get_user($1)": 1,
    "SELECT auth.admin_has_two_factor($1)": 1,
    "SELECT auth.admin_lock_user($1)": 1,
    "SELECT auth.admin_set_ban($1, 'spam')": 1,
    "SELECT auth.admin_set_role($1, 'admin')": 1,
    "SELECT auth.admin_end_sessions($1, NULL, 'revoked')": 1,
    "SELECT auth.admin_list_sessions($1)": 1,
    "SELECT auth.admin_list_events($1, NULL, NULL, NULL, NULL, 10)": 1,
    "SELECT auth.admin_add_event(gen_random_uuid(), $1, NULL, 'user.banned', NULL, NULL, NULL)": 1,
    "SELECT auth.admin_add_command(gen_random_uuid(), $1, 'account.freeze', '{}')": 1,
    "SELECT auth.admin_lock_packages()": 0,
    "SELECT auth.admin_put_package('p', 'n', 'd', 1, 1, NULL, 1, '[]')": 0,
    "SELECT auth.admin_retire_package('p')": 0,
    "SELECT auth.admin_get_purchase(gen_random_uuid())": 0,
}


@pytest.fixture
async def admin(owner: asyncpg.Connection) -> UUID:
    return await add_user(owner, "admin@example.com", role="admin")


async def _do(front: asyncpg.Connection, admin: UUID, act: str, *arguments: object) -> list[asyncpg.Record]:
    async with acting(front, admin):
        return await front.fetch(act, *arguments)


@pytest.mark.parametrize("who", ["user", "banned", "nobody"])
async def test_nobody_else_may(owner: asyncpg.Connection, front: asyncpg.Connection, who: str) -> None:
    target = await add_user(owner)
    actor = new_id() if who == "nobody" else await add_user(owner, role="admin" if who == "banned" else "user")
    if who == "banned":
        await owner.execute("UPDATE auth.users SET banned_at = now() WHERE id = $1", actor)
    for act, arguments in ACTS.items():
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="not an administrator"):
            await _do(front, actor, act, *[target] * arguments)
    assert await owner.fetchval("SELECT role FROM auth.users WHERE id = $1", target) == "user"


async def test_an_administrator_may(owner: asyncpg.Connection, front: asyncpg.Connection, admin: UUID) -> None:
    user = await add_user(owner)
    for act, arguments in ACTS.items():
        await _do(front, admin, act, *[user] * arguments)


async def test_users_are_found_by_the_beginning_of_their_address(
    owner: asyncpg.Connection, front: asyncpg.Connection, admin: UUID
) -> None:
    found = [await add_user(owner, f"ada{number}%@example.com") for number in range(3)]
    await add_user(owner, "adb@example.com")
    page = "SELECT id FROM auth.admin_list_users($1, $2, $3)"
    assert [row["id"] for row in await _do(front, admin, page, "ada", None, 2)] == found[:2]
    assert [row["id"] for row in await _do(front, admin, page, "ada", found[1], 2)] == found[2:]
    assert [row["id"] for row in await _do(front, admin, page, "ada1%", None, 9)] == [found[1]]
    assert await _do(front, admin, page, "%", None, 9) == []


async def test_a_ban_and_its_end(owner: asyncpg.Connection, front: asyncpg.Connection, admin: UUID) -> None:
    user = await add_user(owner)
    await add_token(owner, user, "password_reset", "a@example.com")
    other = await add_token(owner, admin, "password_reset", "b@example.com")
    await _do(front, admin, "SELECT auth.admin_set_ban($1, 'spam')", user)
    row = await owner.fetchrow("SELECT * FROM auth.users WHERE id = $1", user)
    assert row is not None
    assert row["banned_at"] is not None
    assert (row["ban_reason"], row["credential_epoch"]) == ("spam", 1)
    assert await owner.fetchval("SELECT reason FROM credits.suspensions WHERE account_id = $1", user) == "banned"
    assert [row["id"] for row in await owner.fetch("SELECT id FROM auth.verification_tokens")] == [other]

    await _do(front, admin, "SELECT auth.admin_set_ban($1, NULL)", user)
    row = await owner.fetchrow("SELECT * FROM auth.users WHERE id = $1", user)
    assert row is not None
    assert (row["banned_at"], row["ban_reason"], row["credential_epoch"]) == (None, None, 2)
    assert await owner.fetch("SELECT 1 FROM credits.suspensions") == []


@pytest.mark.parametrize("act", [act for act in ACTS if "set_" in act or "add_command" in act])
async def test_nothing_is_done_to_a_user_that_nobody_is(
    owner: asyncpg.Connection, front: asyncpg.Connection, admin: UUID, act: str
) -> None:
    gone = new_id()
    await owner.execute("INSERT INTO credits.suspensions (account_id, reason) VALUES ($1, 'deleted')", gone)
    with pytest.raises(asyncpg.NoDataFoundError):
        await _do(front, admin, act, gone)
    assert await owner.fetchval("SELECT reason FROM credits.suspensions") == "deleted"


@pytest.mark.parametrize("act", [act for act in ACTS if "set_" in act or "add_command" in act])
async def test_nobody_puts_themselves_out(
    owner: asyncpg.Connection, front: asyncpg.Connection, admin: UUID, act: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="not on oneself"):
        await _do(front, admin, act, admin)
    assert await owner.fetchval("SELECT count(*) FROM auth.users WHERE role = 'admin' AND banned_at IS NULL") == 1


async def test_administrators_who_put_each_other_out_leave_one(
    owner: asyncpg.Connection, front: asyncpg.Connection, other_front: asyncpg.Connection, admin: UUID
) -> None:
    second = await add_user(owner, role="admin")
    demote = "SELECT auth.admin_set_role($1, 'user')"
    outcomes = await asyncio.gather(
        _do(front, admin, demote, second), _do(other_front, second, demote, admin), return_exceptions=True
    )
    (refused,) = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert isinstance(refused, asyncpg.InsufficientPrivilegeError)
    assert await owner.fetchval("SELECT count(*) FROM auth.users WHERE role = 'admin'") == 1


@pytest.mark.parametrize(
    ("act", "reason"),
    [("SELECT auth.admin_set_ban($1, 'spam')", "banned"), ("SELECT auth.admin_set_role($1, 'admin')", "revoked")],
)
async def test_who_is_banned_or_gets_another_role_is_signed_out(
    owner: asyncpg.Connection, front: asyncpg.Connection, admin: UUID, act: str, reason: str
) -> None:
    user = await add_user(owner)
    sessions = {await add_session(owner, user) for _ in range(3)}
    own = await add_session(owner, admin)
    assert {row[0] for row in await _do(front, admin, act, user)} == sessions
    rows = await owner.fetch("SELECT id, ended_reason FROM auth.sessions")
    assert {(row["id"], row["ended_reason"]) for row in rows} == {(own, None), *((one, reason) for one in sessions)}


async def test_a_role_changes_with_the_epoch(owner: asyncpg.Connection, front: asyncpg.Connection, admin: UUID) -> None:
    user = await add_user(owner)
    await _do(front, admin, "SELECT auth.admin_set_role($1, 'admin')", user)
    row = await owner.fetchrow("SELECT role, credential_epoch FROM auth.users WHERE id = $1", user)
    assert tuple(row or ()) == ("admin", 1)


async def test_sessions_are_seen_and_ended(owner: asyncpg.Connection, front: asyncpg.Connection, admin: UUID) -> None:
    user = await add_user(owner)
    sessions = [await add_session(owner, user) for _ in range(3)]
    own, expired = await add_session(owner, admin), await add_session(owner, user, "-1 h")
    listing, end = "SELECT id FROM auth.admin_list_sessions($1)", "SELECT auth.admin_end_sessions($1, $2, 'revoked')"
    assert [row["id"] for row in await _do(front, admin, listing, user)] == sessions[::-1]
    assert [row[0] for row in await _do(front, admin, end, user, sessions[0])] == sessions[:1]
    assert await _do(front, admin, end, user, own) == [], "not that user's"
    assert {row[0] for row in await _do(front, admin, end, user, None)} == {*sessions[1:], expired}
    assert await _do(front, admin, listing, user) == []
    live = await owner.fetch("SELECT id FROM auth.sessions WHERE ended_at IS NULL")
    assert [row["id"] for row in live] == [own]
    assert await owner.fetchval("SELECT ended_reason FROM auth.sessions WHERE id = $1", expired) == "revoked"


async def test_events_name_both_and_are_found_page_by_page(
    owner: asyncpg.Connection, front: asyncpg.Connection, admin: UUID
) -> None:
    user, ids = await add_user(owner), [new_id() for _ in range(3)]
    add = "SELECT auth.admin_add_event($1, $2, NULL, $3, '192.0.2.1', 'curl', '{\"reason\": \"spam\"}')"
    for number, event in enumerate(ids):
        await _do(front, admin, add, event, user, "user.banned" if number else "user.unbanned")
    page = "SELECT * FROM auth.admin_list_events($1, $2, NULL, $3, $4, 2)"
    first = await _do(front, admin, page, user, None, None, None)
    assert [row["id"] for row in first] == [ids[2], ids[1]]
    assert {(row["user_id"], row["actor_id"]) for row in first} == {(user, admin)}
    second = await _do(front, admin, page, user, None, first[-1]["created_at"], first[-1]["id"])
    assert [row["id"] for row in second] == [ids[0]]
    assert [row["id"] for row in await _do(front, admin, page, user, "user.unbanned", None, None)] == [ids[0]]
    assert await _do(front, admin, page, admin, None, None, None) == []


@pytest.mark.parametrize("role", [role for role in DATABASE_ROLES if role != "mana_owner"])
@pytest.mark.parametrize(
    "spoiling",
    [
        "UPDATE auth.security_events SET type = 'x'",
        "DELETE FROM auth.security_events",
        "TRUNCATE auth.security_events",
        "ALTER TABLE auth.security_events DISABLE ROW LEVEL SECURITY",
    ],
)
async def test_no_process_spoils_what_was_written_down(database: Database, role: DatabaseRole, spoiling: str) -> None:
    """[68]."""
    connection = await asyncpg.connect(database.url(role))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(spoiling)
    finally:
        await connection.close()


async def test_nobody_names_another_actor(owner: asyncpg.Connection, front: asyncpg.Connection, admin: UUID) -> None:
    user = await add_user(owner)
    insert = "INSERT INTO auth.security_events (id, user_id, actor_id, type) VALUES (gen_random_uuid(), $1, $2, 'x')"
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await _do(front, user, insert, user, admin)
    await _do(front, user, insert, user, user)


async def test_a_command_for_the_user_is_committed_with_the_act(
    owner: asyncpg.Connection, front: asyncpg.Connection, admin: UUID
) -> None:
    user, command = await add_user(owner), new_id()
    await _do(front, admin, "SELECT auth.admin_add_command($1, $2, 'account.freeze', '{}')", command, user)
    row = await owner.fetchrow("SELECT user_id, command FROM auth.outbox WHERE id = $1", command)
    assert tuple(row or ()) == (user, "account.freeze")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no command"):
        await _do(front, admin, "SELECT auth.admin_add_command($1, $2, 'credits.grant', '{}')", new_id(), user)


async def test_commands_stand_in_the_order_of_the_acts(
    owner: asyncpg.Connection, front: asyncpg.Connection, other_front: asyncpg.Connection, admin: UUID
) -> None:
    """Whoever waits for the lock has begun before the act that is waited for ends."""
    user, add = await add_user(owner), "SELECT auth.admin_add_command($1, $2, $3, '{}')"
    async with acting(other_front, admin):
        await other_front.execute("SELECT 1")  # its transaction's time
        async with acting(front, admin):
            await front.execute(add, new_id(), user, "account.freeze")
            waiting = asyncio.create_task(other_front.execute(add, new_id(), user, "account.unfreeze"))
            await asyncio.sleep(0.2)
            assert not waiting.done()
        await waiting
    rows = await owner.fetch("SELECT command FROM auth.outbox ORDER BY created_at, id")
    assert [row["command"] for row in rows] == ["account.freeze", "account.unfreeze"]


MANY = """
INSERT INTO auth.users (id, email, email_key)
SELECT md5('u' || n)::uuid, format('u%s@example.com', n), format('u%s@example.com', n)
FROM generate_series(1, 20000) AS n;
INSERT INTO auth.security_events (id, user_id, type, created_at)
SELECT md5('e' || n)::uuid, md5('u' || n)::uuid, CASE WHEN n % 5000 = 0 THEN 'user.banned' ELSE 'sign_in.succeeded' END,
    now() - n * interval '1 s' FROM generate_series(1, 20000) AS n;
ANALYZE auth.users, auth.security_events;
"""
LISTS = {
    "SELECT * FROM auth.admin_list_users('u1999', NULL, 10)": 10,
    "SELECT * FROM auth.admin_list_users('', '80000000-0000-0000-0000-000000000000', 10)": 10,
    "SELECT * FROM auth.admin_list_events(NULL, 'user.banned', NULL, NULL, NULL, 10)": 4,
    "SELECT * FROM auth.admin_list_events(NULL, 'sign_in.succeeded', NULL, NULL, NULL, 10)": 10,
    "SELECT * FROM auth.admin_list_events(NULL, NULL, NULL, now() - interval '2 h', md5('x')::uuid, 10)": 10,
    "SELECT * FROM auth.admin_list_events(md5('u7')::uuid, NULL, NULL, NULL, NULL, 10)": 1,
}
# Of tables what was read in one go, of indexes the entries that were looked at.
_READ = """
SELECT sum(pg_stat_get_xact_tuples_returned(oid)) FROM pg_class WHERE relnamespace = 'auth'::regnamespace
"""


async def test_a_page_reads_little_of_large_tables(
    owner: asyncpg.Connection, front: asyncpg.Connection, admin: UUID
) -> None:
    """The eighth time too, when a function that keeps one plan for all arguments has long made it."""
    await owner.execute(MANY)
    for page, found in LISTS.items():
        for _ in range(8):
            async with acting(front, admin):
                before = await _read(front)
                assert len(await front.fetch(page)) == found
                read = await _read(front) - before
            assert 0 < read < 100, page


async def _read(connection: asyncpg.Connection) -> int:
    return int(await connection.fetchval(_READ) or 0)


async def test_administrators_who_leave_at_once_leave_one_behind(
    owner: asyncpg.Connection, front: asyncpg.Connection, other_front: asyncpg.Connection, admin: UUID
) -> None:
    second = await add_user(owner, role="admin")

    async def leave(connection: asyncpg.Connection, who: UUID) -> bool:
        async with acting(connection, who):
            if await connection.fetchval("SELECT auth.is_last_admin()"):
                return False
            await connection.execute("SELECT auth.delete_this_user()")
            return True

    assert sorted(await asyncio.gather(leave(front, admin), leave(other_front, second))) == [False, True]
    assert await owner.fetchval("SELECT count(*) FROM auth.users WHERE role = 'admin'") == 1


async def test_the_last_administrator_is_not_deleted(
    owner: asyncpg.Connection, front: asyncpg.Connection, admin: UUID
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="the last administrator stays"):
        await _do(front, admin, "SELECT auth.delete_this_user()")
    assert await owner.fetchval("SELECT role FROM auth.users WHERE id = $1", admin) == "admin"


async def test_a_users_deletion_waits_for_no_administrator(
    owner: asyncpg.Connection, front: asyncpg.Connection, other_front: asyncpg.Connection, admin: UUID
) -> None:
    user, other = await add_user(owner), await add_user(owner)
    async with acting(other_front, admin):
        await other_front.execute("SELECT auth.admin_lock_user($1)", other)
        async with acting(front, user):
            assert await front.fetchval("SELECT auth.is_last_admin()", timeout=8) is False
            await front.execute("SELECT auth.delete_this_user()", timeout=8)
    assert await owner.fetchval("SELECT count(*) FROM auth.users WHERE id = $1", user) == 0


async def test_what_an_administrator_did_is_not_shown_to_the_user(
    owner: asyncpg.Connection, front: asyncpg.Connection, admin: UUID
) -> None:
    """It carries the administrator's address."""
    user = await add_user(owner)
    insert = "INSERT INTO auth.security_events (id, user_id, actor_id, type) VALUES ($1, $2, $3, 'x')"
    own = [new_id() for _ in range(2)]
    await _do(front, user, insert, own[0], user, None)
    await _do(front, user, insert, own[1], user, user)
    await _do(front, admin, "SELECT auth.admin_add_event($1, $2, NULL, 'x', '192.0.2.1', 'curl', '{}')", new_id(), user)
    shown = await _do(front, user, "SELECT id FROM auth.security_events ORDER BY id")
    assert [row["id"] for row in shown] == own


async def test_the_front_sets_no_events_time(owner: asyncpg.Connection, front: asyncpg.Connection) -> None:
    """[68]."""
    insert = "INSERT INTO auth.security_events (id, type, created_at) VALUES (gen_random_uuid(), 'x', '2020-01-01')"
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        await front.execute(insert)


async def test_a_banned_administrator_does_not_count(
    owner: asyncpg.Connection, front: asyncpg.Connection, admin: UUID
) -> None:
    banned = await add_user(owner, role="admin")
    await owner.execute("UPDATE auth.users SET banned_at = now() WHERE id = $1", banned)
    assert (await _do(front, admin, "SELECT auth.is_last_admin()"))[0][0] is True
    assert (await _do(front, await add_user(owner), "SELECT auth.is_last_admin()"))[0][0] is False


async def test_an_administrator_who_is_demoted_meanwhile_may_no_more(
    owner: asyncpg.Connection, front: asyncpg.Connection, other_front: asyncpg.Connection, admin: UUID
) -> None:
    """[57]."""
    second, user = await add_user(owner, role="admin"), await add_user(owner)

    async def late_act() -> None:
        async with acting(other_front, second):
            await other_front.fetch("SELECT auth.admin_lock_user($1)", user)

    async with acting(front, admin):
        await front.fetch("SELECT auth.admin_lock_user($1)", second)
        waiting = asyncio.create_task(late_act())
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await front.fetch("SELECT auth.admin_set_role($1, 'user')", second)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await waiting
