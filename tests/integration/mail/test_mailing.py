"""From an order's row to the mailbox: once, to the right address, in the right words, and with no token left behind."""

from __future__ import annotations

import asyncio
import base64
import json
from uuid import UUID

import asyncpg
import msgspec
import pytest
from aio_pika import Message, connect

from contracts.mails import Ring
from contracts.topology import MAIL_EXCHANGE
from ops.instance import Instance
from tests.integration.auth.links import hash_of
from tests.integration.auth.rows import add_mail, add_user, new_id
from tests.integration.mail.box import Mailbox
from tests.integration.mail.orders import let_be_due, until_postponed
from tests.integration.mail.process import LINKS
from tests.integration.mail.server import OK, refuse
from tests.integration.workers.running import until

TOKENS = "SELECT token_hash, purpose, email FROM auth.verification_tokens WHERE user_id = $1"
GONE = "SELECT count(*) = 0 FROM auth.mails WHERE id = $1"


async def _user(owner: asyncpg.Connection, language: str = "en") -> tuple[UUID, str]:
    email = f"{new_id()}@example.com"
    user = await add_user(owner, email)
    await owner.execute("UPDATE auth.users SET language = $2 WHERE id = $1", user, language)
    return user, email


async def _is_gone(owner: asyncpg.Connection, mail: UUID) -> None:
    async def look() -> bool:
        return await owner.fetchval(GONE, mail) is True

    await until(look, "the order is done")


async def _ring(servers: Instance, *bodies: bytes) -> None:
    """By the administrator's login."""
    connection = await connect(servers.addresses.amqp)
    async with connection:
        channel = await connection.channel()
        bell = await channel.get_exchange(MAIL_EXCHANGE)
        for body in bodies:
            await bell.publish(Message(body), routing_key="")


def _bell(mail: UUID) -> bytes:
    return msgspec.json.encode(Ring(str(mail)))


@pytest.mark.checklist(38)
async def test_a_link_in_the_users_language(box: Mailbox, owner: asyncpg.Connection) -> None:
    user, email = await _user(owner, "de")
    mail = await add_mail(owner, "verify", user)
    received = await box.until(email, "verify")
    assert (received.language, received.link) == ("de", f"{LINKS}/verify-email")
    assert received.message["Message-ID"] == f"<{mail}@localhost>"
    tokens = [tuple(row) for row in await owner.fetch(TOKENS, user)]
    assert tokens == [(hash_of(received.link_token), "email_verify", email)]
    await _is_gone(owner, mail)


async def test_a_change_of_address_is_confirmed_at_the_new_one(box: Mailbox, owner: asyncpg.Connection) -> None:
    user, _ = await _user(owner)
    address = f"{new_id()}@example.com"
    await add_mail(owner, "change_requested", user, address)
    received = await box.until(address, "change_requested")
    assert received.link == f"{LINKS}/confirm-email"
    tokens = [tuple(row) for row in await owner.fetch(TOKENS, user)]
    assert tokens == [(hash_of(received.link_token), "email_change", address)]


@pytest.mark.checklist(51)
async def test_an_address_that_is_taken_is_told_to_its_owner(box: Mailbox, owner: asyncpg.Connection) -> None:
    user, email = await _user(owner)
    _, taken = await _user(owner, "de")
    mail = await add_mail(owner, "change_requested", user, taken)
    received = await box.until(taken, "address_in_use")
    assert (received.language, received.link_token) == ("de", "")
    assert email not in received.text
    await _is_gone(owner, mail)
    assert await owner.fetch(TOKENS, user) == []


@pytest.mark.checklist(22)
async def test_an_order_for_nobody_comes_to_nothing(box: Mailbox, owner: asyncpg.Connection) -> None:
    _, email = await _user(owner)
    for kind in ("reset_requested", "verify_requested"):
        await _is_gone(owner, await add_mail(owner, kind, email=f"{new_id()}@nobody.example"))
    await add_mail(owner, "reset_requested", email=email.upper())
    received = await box.until(email, "reset_requested")
    assert received.link == f"{LINKS}/reset-password"
    assert not [to for to in box.server.recipients if any("nobody.example" in address for address in to)]


@pytest.mark.checklist(39)
async def test_a_newer_mail_voids_the_link_of_the_older(box: Mailbox, owner: asyncpg.Connection) -> None:
    user, email = await _user(owner)
    links: list[str] = []
    for _ in range(2):
        await add_mail(owner, "reset_requested", email=email)
        links.append((await box.until(email, "reset_requested")).link_token)
    assert [row["token_hash"] for row in await owner.fetch(TOKENS, user)] == [hash_of(links[1])]


@pytest.mark.checklist(44)
async def test_no_token_is_left_anywhere(box: Mailbox, servers: Instance, owner: asyncpg.Connection) -> None:
    user, email = await _user(owner)
    connection = await connect(servers.addresses.amqp)
    async with connection:
        channel = await connection.channel()
        bells = await channel.declare_queue(exclusive=True)
        await bells.bind(MAIL_EXCHANGE)
        mail = await add_mail(owner, "reset_requested", email=email)
        token = (await box.until(email, "reset_requested")).link_token
        await _is_gone(owner, mail)
        heard = await bells.get(timeout=10)
        assert heard is not None
        assert json.loads(heard.body) == {"mailId": str(mail)}, "nothing but the row's name"
    secret = base64.urlsafe_b64decode(token + "=")
    forms = {token.encode(), secret, secret.hex().encode(), base64.b64encode(secret)}
    tables = await owner.fetch(
        "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'r' AND"
        " relnamespace IN ('auth'::regnamespace, 'credits'::regnamespace)"
    )
    rows = [row for table in tables for row in await owner.fetch(f"SELECT * FROM {table['name']}")]
    told = [box.worker.log.read_bytes(), box.relay.log.read_bytes(), repr([tuple(row) for row in rows]).encode()]
    assert hash_of(token) in [row["token_hash"] for row in await owner.fetch(TOKENS, user)], "the dump holds the hash"
    assert [form for form in forms for text in told if form in text] == []


@pytest.mark.checklist(65)
async def test_a_bell_that_rings_often_sends_one_mail(
    box: Mailbox, servers: Instance, owner: asyncpg.Connection
) -> None:
    _, email = await _user(owner)
    busy = asyncio.Event()

    async def take_long() -> str:
        await busy.wait()
        return OK

    box.server.on_data = take_long
    mail = await add_mail(owner, "reset_requested", email=email)
    await _ring(servers, *[_bell(mail)] * 20)

    async def all_heard() -> bool:
        messages = await owner.fetchval("SELECT attempts FROM auth.mails WHERE id = $1", mail)
        return messages == 1 and box.server.conversations > 0

    await until(all_heard, "the mail is being sent")
    busy.set()
    await box.until(email, "reset_requested")
    await _is_gone(owner, mail)
    await _ring(servers, _bell(mail))
    after, other = await _user(owner)
    await add_mail(owner, "verify", after)
    await box.until(other, "verify")
    assert box.server.recipients.count([email]) == 1


async def test_what_is_refused_for_now_is_sent_later(box: Mailbox, owner: asyncpg.Connection) -> None:
    _, email = await _user(owner)
    box.server.on_data = refuse("451 4.3.0 try again")
    mail = await add_mail(owner, "reset_requested", email=email)
    await until_postponed(owner, mail)
    assert await owner.fetchval("SELECT attempts FROM auth.mails WHERE id = $1", mail) == 1
    await let_be_due(owner, mail)
    await box.until(email, "reset_requested")
    await _is_gone(owner, mail)


async def test_a_bell_before_its_time_uses_up_no_attempt(
    box: Mailbox, servers: Instance, owner: asyncpg.Connection
) -> None:
    """They pile up while the worker is away."""
    _, email = await _user(owner)
    mail = new_id()
    await owner.execute(
        "INSERT INTO auth.mails (id, kind, email, email_key, due_at, claimed_until)"
        " VALUES ($1, 'reset_requested', $2, $2, 'infinity', now() + interval '1 h')",
        mail,
        email,
    )
    await _ring(servers, *[_bell(mail)] * 20)
    after, other = await _user(owner)
    await add_mail(owner, "verify", after)
    await box.until(other, "verify")
    assert await owner.fetchval("SELECT attempts FROM auth.mails WHERE id = $1", mail) == 0
    await owner.execute("DELETE FROM auth.mails WHERE id = $1", mail)


@pytest.mark.parametrize(
    ("attempts", "reply", "reason"),
    [
        (0, "550 5.1.1 nobody here", "refused: 550 5.1.1"),
        (11, "451 4.3.0 again", "refused: 451 4.3.0"),
        (12, OK, "tried too often"),
    ],
)
async def test_what_is_refused_for_good_or_too_often_is_given_up_and_noted(
    box: Mailbox, owner: asyncpg.Connection, attempts: int, reply: str, reason: str
) -> None:
    user, email = await _user(owner)
    mail = new_id()
    box.server.on_recipient = refuse(reply)
    await owner.execute(
        "INSERT INTO auth.mails (id, kind, user_id, credential_epoch, attempts) VALUES ($1, 'verify', $2, 0, $3)",
        mail,
        user,
        attempts,
    )
    await _is_gone(owner, mail)
    event = await owner.fetchrow("SELECT type, details FROM auth.security_events WHERE user_id = $1", user)
    assert event is not None
    assert event["type"] == "mail.failed"
    assert json.loads(event["details"]) == {"kind": "verify", "reason": reason}
    assert email not in box.worker.log.read_text()


async def test_an_order_of_a_newer_version_waits_for_it(box: Mailbox, owner: asyncpg.Connection) -> None:
    user, _ = await _user(owner)
    mail = await add_mail(owner, "sign_in_elsewhere", user)
    await until_postponed(owner, mail)
    await owner.execute("DELETE FROM auth.mails WHERE id = $1", mail)


async def test_a_bell_that_nobody_can_read_stops_nothing(
    box: Mailbox, servers: Instance, owner: asyncpg.Connection
) -> None:
    await _ring(servers, *[b"", b"\xff", b"[]", b'{"mailId": "x"}', b'{"mailId": 1}'] * 4)
    user, email = await _user(owner)
    await add_mail(owner, "verify", user)
    await box.until(email, "verify")
    assert await box.worker.health() == {"status": "ready", "problems": {}}
