"""Orders of mails: the front writes them, the relay rings for them, the mail worker claims them and makes tokens."""

from __future__ import annotations

import asyncpg
import pytest

from api.auth import standing
from tests.integration.auth.rows import acting, add_mail, add_token, add_user, new_id

INSERT = (
    "INSERT INTO auth.mails (id, kind, user_id, email, email_key, credential_epoch) VALUES"
    " (gen_random_uuid(), $1, $2, $3, $3, (SELECT credential_epoch FROM auth.users WHERE id = $2))"
)
RECIPIENT = "SELECT * FROM auth.find_mail_recipient($1)"
ADD_TOKEN = "SELECT auth.add_mail_token($1, $2, sha256($2::uuid::text::bytea), interval '30 min')"
TOKENS = "SELECT id, user_id, purpose, email, email_key, credential_epoch FROM auth.verification_tokens ORDER BY id"


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
    with pytest.raises(asyncpg.CheckViolationError, match="mails_epoch"):
        async with acting(front, user):
            await front.execute("INSERT INTO auth.mails (id, kind, user_id) VALUES ($1, 'verify', $2)", new_id(), user)


_NOT_THE_FRONTS = [
    "UPDATE auth.mails SET due_at = now()",
    "DELETE FROM auth.mails",
    "INSERT INTO auth.mails (id, kind, email, email_key, due_at) VALUES (gen_random_uuid(), 'x', 'a@b', 'a@b', now())",
]


@pytest.mark.parametrize("statement", _NOT_THE_FRONTS)
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
    "SELECT auth.sweep('mails', 1)",
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
    insert = "INSERT INTO auth.security_events (id, user_id, type, details) VALUES (gen_random_uuid(), $1, $2, '{}')"
    await mailer.execute(insert, user, "mail.failed")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await mailer.execute(insert, user, "sign_in.succeeded")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        await mailer.execute(insert.replace("details", "created_at").replace("'{}'", "now()"), user, "mail.failed")


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
    assert (found["user_id"], found["email"], found["owner_email"]) == (None, None, None)
    assert await mailer.fetch(RECIPIENT, new_id()) == [], "no such order"


async def test_another_who_has_the_new_address_is_told_in_their_own_words(
    owner: asyncpg.Connection, mailer: asyncpg.Connection
) -> None:
    ada, eve = await add_user(owner, "ada@example.com"), await add_user(owner, "eve@example.com")
    await owner.execute(
        "UPDATE auth.users SET email = 'Eve@example.com', name = 'Eve', language = 'de', banned_at = now()"
        " WHERE id = $1",
        eve,
    )
    columns = ("owner_email", "owner_name", "owner_language", "owner_banned")
    nobody = (None, None, None, False)
    for address, told in (
        ("eve@example.com", ("Eve@example.com", "Eve", "de", True)),
        ("ada@example.com", nobody),
        ("new@example.com", nobody),
    ):
        found = await mailer.fetchrow(RECIPIENT, await add_mail(owner, "change_requested", ada, address))
        assert found is not None
        assert (found["user_id"], found["name"], found["language"]) == (ada, None, "en")
        assert tuple(found[column] for column in columns) == told, address
    asked = await mailer.fetchrow(RECIPIENT, await add_mail(owner, "reset_requested", email="eve@example.com"))
    assert asked is not None
    assert (asked["user_id"], asked["owner_email"]) == (eve, None), "who is asked for is no other"


async def test_a_token_is_for_its_orders_user_purpose_and_address(
    owner: asyncpg.Connection, mailer: asyncpg.Connection
) -> None:
    user = await add_user(owner, "ada@example.com")
    await owner.execute("UPDATE auth.users SET email = 'Ada@example.com', credential_epoch = 7")
    orders = (
        (await add_mail(owner, "verify", user), "email_verify", "Ada@example.com"),
        (await add_mail(owner, "reset_requested", email="ADA@example.com"), "password_reset", "Ada@example.com"),
        (await add_mail(owner, "change_requested", user, "New@example.com"), "email_change", "New@example.com"),
    )
    ids = [new_id() for _ in orders]
    for (mail, _, _), token in zip(orders, ids, strict=True):
        assert await mailer.fetchval(ADD_TOKEN, mail, token) is True
    assert [tuple(row) for row in await owner.fetch(TOKENS)] == [
        (token, user, purpose, address, address.lower(), 7)
        for (_, purpose, address), token in zip(orders, ids, strict=True)
    ]


async def test_a_newer_token_voids_the_older_of_its_purpose(
    owner: asyncpg.Connection, mailer: asyncpg.Connection
) -> None:
    """[39]."""
    user = await add_user(owner, "a@example.com")
    other = await add_token(owner, user, "email_verify", "a@example.com")
    mail, second = await add_mail(owner, "reset_requested", email="a@example.com"), new_id()
    assert await mailer.fetchval(ADD_TOKEN, mail, new_id()) is True
    assert await mailer.fetchval(ADD_TOKEN, mail, second) is True
    assert {row["id"] for row in await owner.fetch(TOKENS)} == {other, second}
    left = await owner.fetchval("SELECT expires_at - now() FROM auth.verification_tokens WHERE id = $1", second)
    assert left is not None
    assert 0 < left.total_seconds() <= 1_800


async def test_a_change_of_address_does_not_outlive_a_reset_of_the_password(
    owner: asyncpg.Connection, mailer: asyncpg.Connection, front: asyncpg.Connection
) -> None:
    """[42] [51]: ordered by a thief, sent when what proves the user has changed."""
    user = await add_user(owner, "ada@example.com")
    stolen = await add_mail(owner, "change_requested", user, "eve@example.com")
    verify = await add_mail(owner, "verify", user)
    async with acting(front, user):
        await standing.seize(front, user)
        await standing.bump(front, user)
    assert await mailer.fetchval(ADD_TOKEN, stolen, new_id()) is False
    assert await owner.fetch(TOKENS) == []
    assert await mailer.fetchval(ADD_TOKEN, verify, new_id()) is True, "proves only the address that the user has"


async def test_no_token_for_a_mail_without_a_link_nor_for_nobody(
    owner: asyncpg.Connection, mailer: asyncpg.Connection
) -> None:
    user = await add_user(owner)
    for kind, whose, address in (
        ("password_changed", user, None),
        ("change_requested", user, None),
        ("change_requested", None, "a@example.com"),
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no link"):
            await mailer.fetchval(ADD_TOKEN, await add_mail(owner, kind, whose, address), new_id())
    nobodys = await add_mail(owner, "reset_requested", email="nobody@example.com")
    assert await mailer.fetchval(ADD_TOKEN, nobodys, new_id()) is False
    assert await mailer.fetchval(ADD_TOKEN, new_id(), new_id()) is False, "no such order"
    assert await owner.fetch(TOKENS) == []
