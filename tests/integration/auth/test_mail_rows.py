"""Orders of mails: the front writes them, the relay rings for them, the mail worker claims them and makes tokens."""

from __future__ import annotations

import asyncpg
import pytest

from tests.integration.auth.rows import acting, add_mail, add_token, add_user, new_id

INSERT = "INSERT INTO auth.mails (id, kind, user_id, email, email_key) VALUES (gen_random_uuid(), $1, $2, $3, $3)"
RECIPIENT = "SELECT * FROM auth.find_mail_recipient($1)"
ADD_TOKEN = "SELECT auth.add_mail_token($1, $2, $3, sha256($4::text::bytea), 'a@example.com', 'a@example.com', $5)"


async def test_the_front_orders_for_its_user_and_for_an_address_that_somebody_typed(
    owner: asyncpg.Connection, front: asyncpg.Connection
) -> None:
    user, other = await add_user(owner), await add_user(owner)
    await front.execute(INSERT, "reset_requested", None, "a@example.com")
    async with acting(front, user):
        await front.execute(INSERT, "verify", user, None)
        assert await front.fetchval("SELECT count(*) FROM auth.mails") == 1, "its own only"
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with acting(front, user):
            await front.execute(INSERT, "verify", other, None)
    with pytest.raises(asyncpg.CheckViolationError, match="mails_recipient"):
        await front.execute(INSERT, "verify", None, None)


@pytest.mark.parametrize("statement", ["UPDATE auth.mails SET due_at = now()", "DELETE FROM auth.mails"])
async def test_the_front_takes_no_order_back(front: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await front.execute(statement)


async def test_the_relay_sees_which_are_due_and_not_for_whom(
    owner: asyncpg.Connection, relay: asyncpg.Connection
) -> None:
    mail = await add_mail(owner, "verify", await add_user(owner))
    due = "SELECT id FROM auth.mails WHERE due_at <= now() ORDER BY due_at, id LIMIT 100 FOR UPDATE SKIP LOCKED"
    async with relay.transaction():
        assert [row["id"] for row in await relay.fetch(due)] == [mail]
        await relay.execute("UPDATE auth.mails SET due_at = now() + interval '60 s' WHERE id = $1", mail)
    assert await relay.fetch(due) == []
    for statement in (
        "SELECT email FROM auth.mails",
        "SELECT user_id FROM auth.mails",
        "UPDATE auth.mails SET email = 'x@y'",
        "DELETE FROM auth.mails",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await relay.execute(statement)


async def test_the_mail_worker_claims_and_removes(owner: asyncpg.Connection, mailer: asyncpg.Connection) -> None:
    mail = await add_mail(owner, "reset_requested", email="a@example.com")
    claim = (
        "UPDATE auth.mails SET claimed_until = now() + interval '120 s', attempts = attempts + 1"
        " WHERE id = $1 AND (claimed_until IS NULL OR claimed_until < now()) RETURNING kind, email, attempts"
    )
    assert tuple(await mailer.fetchrow(claim, mail) or ()) == ("reset_requested", "a@example.com", 1)
    assert await mailer.fetchrow(claim, mail) is None, "claimed already"
    await mailer.execute("DELETE FROM auth.mails WHERE id = $1", mail)
    assert await owner.fetch("SELECT 1 FROM auth.mails") == []


_NOT_THE_MAIL_WORKERS = [
    "SELECT 1 FROM auth.users",
    "SELECT 1 FROM auth.passwords",
    "SELECT 1 FROM auth.sessions",
    "SELECT 1 FROM auth.verification_tokens",
    "SELECT 1 FROM auth.signing_keys",
    "SELECT 1 FROM auth.security_events",
    "SELECT 1 FROM auth.outbox",
    "SELECT 1 FROM credits.balances",
    "UPDATE auth.mails SET email = 'x@y'",
    "INSERT INTO auth.mails (id, kind, email, email_key) VALUES (gen_random_uuid(), 'verify', 'a@b', 'a@b')",
    "SELECT auth.find_sign_in('a@b', NULL)",
    "SELECT auth.sweep(1)",
    "SELECT auth.admin_get_user(gen_random_uuid())",
]


async def test_the_mail_worker_sees_nothing_else(mailer: asyncpg.Connection) -> None:
    for statement in _NOT_THE_MAIL_WORKERS:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await mailer.execute(statement)


async def test_the_mail_worker_notes_failures_and_no_other_event(
    owner: asyncpg.Connection, mailer: asyncpg.Connection
) -> None:
    user = await add_user(owner)
    insert = "INSERT INTO auth.security_events (id, user_id, type, actor_id) VALUES (gen_random_uuid(), $1, $2, $3)"
    await mailer.execute(insert, user, "mail.failed", None)
    for event, actor in (("sign_in.succeeded", None), ("mail.failed", user)):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await mailer.execute(insert, user, event, actor)


async def test_who_a_mail_is_for(owner: asyncpg.Connection, mailer: asyncpg.Connection) -> None:
    user = await add_user(owner, "ada@example.com")
    await owner.execute("UPDATE auth.users SET language = 'de', name = 'Ada', email_verified = true")
    for mail in (
        await add_mail(owner, "verify", user),
        await add_mail(owner, "reset_requested", email="Ada@example.com"),
    ):
        found = await mailer.fetchrow(RECIPIENT, mail)
        assert found is not None
        assert (found["user_id"], found["email"], found["name"]) == (user, "ada@example.com", "Ada")
        assert (found["language"], found["verified"], found["banned"]) == ("de", True, False)


async def test_a_mail_to_an_address_that_nobody_has(owner: asyncpg.Connection, mailer: asyncpg.Connection) -> None:
    found = await mailer.fetchrow(RECIPIENT, await add_mail(owner, "reset_requested", email="nobody@example.com"))
    assert found is not None
    assert (found["user_id"], found["email"], found["taken"]) == (None, None, False)
    assert await mailer.fetch(RECIPIENT, new_id()) == [], "no such order"


async def test_whether_another_has_the_new_address(owner: asyncpg.Connection, mailer: asyncpg.Connection) -> None:
    ada = await add_user(owner, "ada@example.com")
    await add_user(owner, "eve@example.com")
    for address, taken in (("eve@example.com", True), ("ada@example.com", False), ("new@example.com", False)):
        found = await mailer.fetchrow(RECIPIENT, await add_mail(owner, "change_requested", ada, address))
        assert found is not None
        assert (found["user_id"], found["taken"]) == (ada, taken), address


async def test_a_newer_token_voids_the_older_of_its_purpose(
    owner: asyncpg.Connection, mailer: asyncpg.Connection
) -> None:
    """[39]."""
    user = await add_user(owner)
    await owner.execute("UPDATE auth.users SET credential_epoch = 7")
    other = await add_token(owner, user, "email_verify", "a@example.com")
    first, second = new_id(), new_id()
    life = await owner.fetchval("SELECT interval '30 min'")
    assert await mailer.fetchval(ADD_TOKEN, first, user, "password_reset", "1", life) is True
    assert await mailer.fetchval(ADD_TOKEN, second, user, "password_reset", "2", life) is True
    rows = await owner.fetch(
        "SELECT id, credential_epoch AS epoch, expires_at - now() AS left FROM auth.verification_tokens"
    )
    assert {row["id"] for row in rows} == {other, second}
    made = next(row for row in rows if row["id"] == second)
    assert made["epoch"] == 7
    assert 0 < made["left"].total_seconds() <= 1_800


async def test_no_token_of_a_purpose_that_is_no_mails_nor_for_nobody(
    owner: asyncpg.Connection, mailer: asyncpg.Connection
) -> None:
    user, life = await add_user(owner), await owner.fetchval("SELECT interval '5 min'")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no purpose"):
        await mailer.fetchval(ADD_TOKEN, new_id(), user, "two_factor", "1", life)
    assert await mailer.fetchval(ADD_TOKEN, new_id(), new_id(), "password_reset", "1", life) is False
