"""An address is proven, and moves, by a link that its mail brought; once, for that purpose and that address alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable

import asyncpg
import pytest

from api.auth.emails import known
from api.errors import Refusal
from api.throttle.limiter import Charge, Verdict
from tests.integration.auth.links import expire, link_of, newest_link, no_link
from tests.integration.auth.rooms import OTHER, PASSWORD, SOMEWHERE, NoLimiter, Rooms, refused, rooms
from tests.integration.auth.rows import address_of, ordered_mails, prove_address
from tests.integration.ledger.server import Database

ADA, EVE, NEW = "ada@example.com", "eve@example.com", "Ada@New.example.com"


@pytest.fixture
async def front_door(database: Database, owner: asyncpg.Connection) -> AsyncGenerator[Rooms]:
    assert owner is not None, "empties the database afterwards"
    async with rooms(database.url("mana_api"), bonus=150) as opened:
        yield opened


async def _commands(owner: asyncpg.Connection) -> list[str]:
    return [row["command"] for row in await owner.fetch("SELECT command FROM auth.outbox ORDER BY id")]


@pytest.mark.checklist(39)
async def test_of_twenty_uses_of_a_link_one_proves_the_address(front_door: Rooms, owner: asyncpg.Connection) -> None:
    user = await front_door.register(ADA)
    link = await newest_link(owner, "verify")
    outcomes = await asyncio.gather(
        *(front_door.verification.verify(link, SOMEWHERE) for _ in range(20)), return_exceptions=True
    )
    assert outcomes.count(None) == 1
    assert all(isinstance(outcome, Refusal) for outcome in outcomes if outcome is not None)
    assert await address_of(owner, user) == (ADA, ADA, True)
    assert await owner.fetchval("SELECT count(*) FROM auth.security_events WHERE type = 'email.verified'") == 1


@pytest.mark.checklist(39)
async def test_a_newer_link_voids_the_older_and_time_voids_it(front_door: Rooms, owner: asyncpg.Connection) -> None:
    user = await front_door.register(ADA)
    older = await newest_link(owner, "verify")
    await front_door.requests.request("verify_requested", known(ADA.upper()))
    newer = await newest_link(owner, "verify_requested")
    await refused(front_door.verification.verify(older, SOMEWHERE))
    await expire(owner, newer)
    await refused(front_door.verification.verify(newer, SOMEWHERE))
    assert (await address_of(owner, user))[2] is False
    assert await owner.fetchval("SELECT used_at FROM auth.verification_tokens") is None


@pytest.mark.checklist(40)
@pytest.mark.parametrize("text", ["", "x", "é" * 43, "A" * 43, "A" * 10_000], ids=len)
async def test_what_is_no_link(front_door: Rooms, text: str) -> None:
    for link in (text, no_link()):
        await refused(front_door.verification.verify(link, SOMEWHERE))
        await refused(front_door.moving.confirm(link, SOMEWHERE, None))
        await refused(front_door.reset(link, PASSWORD))


@pytest.mark.checklist(40)
async def test_a_link_does_what_it_is_for_and_nothing_else(front_door: Rooms, owner: asyncpg.Connection) -> None:
    """Refused where it is not for, and not spent by that."""
    user = await front_door.register(ADA)
    _, claims = await front_door.enter(ADA)
    await front_door.moving.ask(claims, known(NEW))
    verify, move = await newest_link(owner, "verify"), await newest_link(owner, "change_requested")
    reset = await link_of(owner, await front_door.forgot(owner, ADA))
    assert reset is not None
    for link in (verify, move):
        await refused(front_door.reset(link, "entirely different staple"))
    for link in (verify, reset):
        await refused(front_door.moving.confirm(link, SOMEWHERE, None))
    for link in (move, reset):
        await refused(front_door.verification.verify(link, SOMEWHERE))
    assert await owner.fetchval("SELECT count(*) FROM auth.verification_tokens WHERE used_at IS NOT NULL") == 0
    assert await address_of(owner, user) == (ADA, ADA, False)
    await front_door.verification.verify(verify, SOMEWHERE)
    await front_door.moving.confirm(move, SOMEWHERE, None)
    assert await address_of(owner, user) == (NEW, NEW.lower(), True)


@pytest.mark.checklist(51)
async def test_an_address_moves_and_the_old_one_is_told(front_door: Rooms, owner: asyncpg.Connection) -> None:
    """All sessions end but the one that confirms; to the old address go both mails, wherever the user reads by then."""
    user = await front_door.register(ADA)
    await prove_address(owner, user)
    granted, claims = await front_door.enter(ADA)
    others, _ = await front_door.enter(ADA)
    await front_door.moving.ask(claims, known(NEW))
    assert await address_of(owner, user) == (ADA, ADA, True), "not before the link"
    await front_door.moving.confirm(await newest_link(owner, "change_requested"), SOMEWHERE, claims)
    assert await address_of(owner, user) == (NEW, NEW.lower(), True)
    assert await ordered_mails(owner) == [
        ("verify", None),
        ("change_requested", NEW),
        ("address_changing", ADA),
        ("address_changed", ADA),
    ]
    await front_door.sessions.refresh(granted.refresh_token, SOMEWHERE)
    await refused(front_door.sessions.refresh(others.refresh_token, SOMEWHERE), "unauthorized")
    await refused(front_door.enter(ADA), "unauthorized")
    await front_door.enter(NEW)


@pytest.mark.checklist(51)
async def test_a_stranger_whose_address_was_registered_is_told_nothing_of_it(
    front_door: Rooms, owner: asyncpg.Connection
) -> None:
    """Else whoever registers with it could fill that mailbox. Each of these is told at an address that is proven."""
    await front_door.register(ADA)
    _, claims = await front_door.enter(ADA)
    await front_door.change(claims, PASSWORD, OTHER)
    await front_door.moving.ask(claims, known(NEW))
    await front_door.moving.confirm(await newest_link(owner, "change_requested"), SOMEWHERE, claims)
    assert await ordered_mails(owner) == [("verify", None), ("change_requested", NEW)]
    await front_door.change(claims, OTHER, PASSWORD)
    assert (await ordered_mails(owner))[2:] == [("password_changed", NEW)]


@pytest.mark.checklist(51)
async def test_a_session_of_somebody_else_does_not_stay(front_door: Rooms, owner: asyncpg.Connection) -> None:
    await front_door.register(ADA)
    granted, claims = await front_door.enter(ADA)
    await front_door.register(EVE)
    _, another = await front_door.enter(EVE)
    await front_door.moving.ask(claims, known(NEW))
    await front_door.moving.confirm(await newest_link(owner, "change_requested"), SOMEWHERE, another)
    await refused(front_door.sessions.refresh(granted.refresh_token, SOMEWHERE), "unauthorized")


@pytest.mark.checklist(51)
async def test_a_proof_of_the_old_address_proves_nothing_of_the_new(
    front_door: Rooms, owner: asyncpg.Connection
) -> None:
    user = await front_door.register(ADA)
    _, claims = await front_door.enter(ADA)
    reset = await link_of(owner, await front_door.forgot(owner, ADA))
    verify = await newest_link(owner, "verify")
    await front_door.moving.ask(claims, known(NEW))
    await front_door.moving.confirm(await newest_link(owner, "change_requested"), SOMEWHERE, None)
    await owner.execute("UPDATE auth.users SET email_verified = false")
    assert reset is not None
    await refused(front_door.verification.verify(verify, SOMEWHERE))
    await refused(front_door.reset(reset, "entirely different staple"))
    assert (await address_of(owner, user))[2] is False


@pytest.mark.checklist(51)
async def test_an_address_that_somebody_has_is_ordered_alike_and_does_not_move(
    front_door: Rooms, owner: asyncpg.Connection
) -> None:
    user = await front_door.register(ADA)
    _, claims = await front_door.enter(ADA)
    await front_door.moving.ask(claims, known(NEW))
    link = await newest_link(owner, "change_requested")
    await front_door.register(NEW)
    await refused(front_door.moving.confirm(link, SOMEWHERE, None))
    assert await address_of(owner, user) == (ADA, ADA, False)
    await front_door.moving.ask(claims, known(NEW))
    orders = await owner.fetch("SELECT email, details::text, user_id FROM auth.mails WHERE kind = 'change_requested'")
    assert len({tuple(row.values()) for row in orders}) == 1
    await front_door.sessions.refresh((await front_door.enter(ADA))[0].refresh_token, SOMEWHERE)


@pytest.mark.checklist(51)
async def test_a_change_of_address_needs_a_recent_sign_in(front_door: Rooms, owner: asyncpg.Connection) -> None:
    await front_door.register(ADA)
    _, claims = await front_door.enter(ADA)
    await owner.execute("UPDATE auth.sessions SET created_at = created_at - interval '11 min'")
    with pytest.raises(Refusal) as refusal:
        await front_door.moving.ask(claims, known(NEW))
    assert refusal.value.error.code == "forbidden"
    assert refusal.value.error.details == {"reauthenticate": True}
    assert await ordered_mails(owner) == [("verify", None)]


@pytest.mark.checklist(57)
async def test_a_banned_users_links_do_nothing(front_door: Rooms, owner: asyncpg.Connection) -> None:
    user = await front_door.register(ADA)
    _, claims = await front_door.enter(ADA)
    await front_door.moving.ask(claims, known(NEW))
    verify, move = await newest_link(owner, "verify"), await newest_link(owner, "change_requested")
    await owner.execute("UPDATE auth.users SET banned_at = now()")
    await refused(front_door.verification.verify(verify, SOMEWHERE))
    await refused(front_door.moving.confirm(move, SOMEWHERE, None))
    await refused(front_door.moving.ask(claims, known(NEW)), "unauthorized")
    assert await address_of(owner, user) == (ADA, ADA, False)


@pytest.mark.checklist(66)
@pytest.mark.parametrize("proof", ["verify", "reset", "change"])
async def test_the_bonus_is_committed_with_the_first_proof_and_once(
    front_door: Rooms, owner: asyncpg.Connection, proof: str
) -> None:
    """Whatever proves an address first; the broker is away, so the commands stay to be seen."""
    user = await front_door.register(ADA)
    body = "SELECT body->>'signupBonus' FROM auth.outbox WHERE command = 'account.open'"
    assert await owner.fetchval(body) == "false"
    await _prove(front_door, owner, proof)
    assert await _commands(owner) == ["account.open", "credits.grant"]
    grant = await owner.fetchrow(
        "SELECT user_id, body->>'idempotencyKey' AS key, body->>'amount' AS amount FROM auth.outbox"
        " WHERE command = 'credits.grant'"
    )
    assert grant is not None
    assert tuple(grant.values()) == (user, "mana:signup-bonus", "150")
    for again in ("verify", "reset", "change"):
        await _prove(front_door, owner, again)
    assert await _commands(owner) == ["account.open", "credits.grant"]


@pytest.mark.checklist(66)
async def test_who_had_the_bonus_at_registration_gets_no_other(front_door: Rooms, owner: asyncpg.Connection) -> None:
    """The setting was changed since."""
    await front_door.register(ADA)
    await owner.execute("UPDATE auth.users SET bonus_at_proof = false; DELETE FROM auth.outbox")
    await _prove(front_door, owner, "verify")
    assert await _commands(owner) == []


async def _prove(front_door: Rooms, owner: asyncpg.Connection, proof: str) -> None:
    email = str(await owner.fetchval("SELECT email FROM auth.users"))
    match proof:
        case "verify":
            await front_door.requests.request("verify_requested", known(email))
            await front_door.verification.verify(await newest_link(owner, "verify_requested"), SOMEWHERE)
        case "reset":
            link = await link_of(owner, await front_door.forgot(owner, email))
            assert link is not None
            await front_door.reset(link, PASSWORD)
        case _:
            _, claims = await front_door.enter(email)
            await front_door.moving.ask(claims, known("x" + email))
            await front_door.moving.confirm(await newest_link(owner, "change_requested"), SOMEWHERE, claims)


class OneEach(NoLimiter):
    """Takes one charge for each class and subject."""

    def __init__(self) -> None:
        self._taken: set[tuple[str, bytes]] = set()

    async def take(self, *charges: Charge) -> Verdict:
        new = _names(charges)
        allowed = not new & self._taken
        self._taken |= new
        return Verdict(allowed, charges[0].limit.name, 1, 3600, int(allowed), 3600, 3600)

    async def forget(self, *charges: Charge) -> None:
        self._taken -= _names(charges)


def _names(charges: Iterable[Charge]) -> set[tuple[str, bytes]]:
    return {(charge.limit.name, charge.subject) for charge in charges}


@pytest.mark.checklist(22, 27)
async def test_mails_to_one_address_are_counted_however_it_is_written_and_whoever_has_it(
    database: Database, owner: asyncpg.Connection
) -> None:
    """Each kind by itself, so that nobody's mailbox is filled through us, and nobody is kept from a mail of one kind by
    strangers who ask for another. Who asks for a mail that anybody may ask for is not told that it is one too many."""
    async with rooms(database.url("mana_api"), limiter=OneEach()) as front_door:
        await front_door.register(EVE)
        _, claims = await front_door.enter(EVE)
        for email, again in ((ADA, ADA.upper()), ("nobody@example.com", "NoBody@example.com")):
            for each in (email, again):
                await front_door.requests.request("verify_requested", known(each))
                await front_door.requests.request("reset_requested", known(each))
            await front_door.moving.ask(claims, known(email))
            await refused(front_door.moving.ask(claims, known(again)), "rate_limited")
    assert await ordered_mails(owner) == [
        ("verify", None),
        *((kind, ADA) for kind in ("verify_requested", "reset_requested", "change_requested")),
        *((kind, "nobody@example.com") for kind in ("verify_requested", "reset_requested", "change_requested")),
    ]


@pytest.mark.checklist(31)
async def test_who_may_not_ask_for_an_address_uses_up_nothing_of_it(
    database: Database, owner: asyncpg.Connection
) -> None:
    async with rooms(database.url("mana_api"), limiter=OneEach()) as front_door:
        await front_door.register(ADA)
        _, stale = await front_door.enter(ADA)
        await owner.execute("UPDATE auth.sessions SET created_at = created_at - interval '11 min'")
        _, fresh = await front_door.enter(ADA)
        await refused(front_door.moving.ask(stale, known(NEW)), "forbidden")
        await front_door.moving.ask(fresh, known(NEW))


async def test_who_registers_over_and_over_fills_no_mailbox(database: Database, owner: asyncpg.Connection) -> None:
    """With an address whose user was deleted; there is a user each time."""
    async with rooms(database.url("mana_api"), limiter=OneEach()) as front_door:
        await front_door.register(ADA)
        assert await ordered_mails(owner) == [("verify", None)]
        await owner.execute("DELETE FROM auth.users")
        await front_door.register(ADA.upper())
        assert await ordered_mails(owner) == []
        await front_door.enter(ADA)
