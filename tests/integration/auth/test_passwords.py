"""A password changes by the current one or by a link in a mail, and by nothing else; what was begun before is dead."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import AsyncGenerator
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.auth.emails import known
from api.auth.tokens import Claims
from api.errors import Refusal
from tests.integration.auth.links import expire, link_of, newest_link, no_link
from tests.integration.auth.rooms import OTHER, PASSWORD, SOMEWHERE, Rooms, refused, rooms
from tests.integration.auth.rows import acting, add_token, ordered_mails, prove_address
from tests.integration.ledger.server import Database

ADA, EVE = "ada@example.com", "eve@example.com"


@pytest.fixture
async def front_door(database: Database, owner: asyncpg.Connection) -> AsyncGenerator[Rooms]:
    assert owner is not None, "empties the database afterwards"
    async with rooms(database.url("mana_api")) as opened:
        yield opened


async def _hash(owner: asyncpg.Connection, user: UUID) -> str:
    return str(await owner.fetchval("SELECT hash FROM auth.passwords WHERE user_id = $1", user))


@pytest.mark.checklist(42)
async def test_a_change_ends_all_sessions_but_its_own(front_door: Rooms, owner: asyncpg.Connection) -> None:
    user = await front_door.register(ADA)
    await prove_address(owner, user)
    (mine, claims), (others, _) = [await front_door.enter(ADA) for _ in range(2)]
    await front_door.change(claims, PASSWORD, OTHER)
    await front_door.sessions.refresh(mine.refresh_token, SOMEWHERE)
    await refused(front_door.sessions.refresh(others.refresh_token, SOMEWHERE), "unauthorized")
    await refused(front_door.enter(ADA), "unauthorized")
    await front_door.enter(ADA, OTHER)
    reasons = await owner.fetch("SELECT ended_reason FROM auth.sessions WHERE ended_at IS NOT NULL")
    assert [row["ended_reason"] for row in reasons] == ["password"]
    assert await owner.fetchval(
        "SELECT authenticated_at > created_at FROM auth.sessions WHERE id = $1", claims.session_id
    )
    assert await owner.fetchval("SELECT credential_epoch FROM auth.users WHERE id = $1", user) == 1
    assert await ordered_mails(owner) == [("verify", None), ("password_changed", ADA)]


@pytest.mark.checklist(41)
async def test_a_wrong_current_password_changes_nothing(front_door: Rooms, owner: asyncpg.Connection) -> None:
    user = await front_door.register(ADA)
    _, claims = await front_door.enter(ADA)
    before = await _hash(owner, user)
    await refused(front_door.change(claims, OTHER, "yet another staple"), "forbidden")
    assert await _hash(owner, user) == before
    failures = "SELECT count(*) FROM auth.security_events WHERE type = 'sign_in.failed' AND session_id = $1"
    assert await owner.fetchval(failures, claims.session_id) == 1


async def test_the_present_password_is_no_new_one(front_door: Rooms, owner: asyncpg.Connection) -> None:
    """However it is composed of characters: nothing would change but the mails that tell of it."""
    password = "né" + PASSWORD
    user = await front_door.register(ADA, password)
    await prove_address(owner, user)
    _, claims = await front_door.enter(ADA, password)
    before = await _hash(owner, user)
    for same in (password, unicodedata.normalize("NFD", password)):
        await refused(front_door.change(claims, password, same), field="newPassword")
    assert await _hash(owner, user) == before
    assert await ordered_mails(owner) == [("verify", None)]


@pytest.mark.checklist(41)
async def test_a_user_without_a_password_sets_one_by_a_link_only(front_door: Rooms, owner: asyncpg.Connection) -> None:
    await front_door.register(ADA)
    _, claims = await front_door.enter(ADA)
    await owner.execute("DELETE FROM auth.passwords")
    await refused(front_door.change(claims, PASSWORD, OTHER), "forbidden")
    link = await link_of(owner, await front_door.forgot(owner, ADA))
    assert link is not None
    await front_door.reset(link, OTHER)
    await front_door.enter(ADA, OTHER)


@pytest.mark.checklist(37)
async def test_a_weak_password_is_refused_wherever_one_is_set(front_door: Rooms, owner: asyncpg.Connection) -> None:
    """And does not spend the link."""
    await refused(front_door.register(ADA, "password1234"), field="password")
    user = await front_door.register("long.name@example.com")
    _, claims = await front_door.enter("long.name@example.com")
    before = await _hash(owner, user)
    link = await link_of(owner, await front_door.forgot(owner, "long.name@example.com"))
    assert link is not None
    for weak in ("password1234", "long.name.12", "Mana Mana Mana!"):
        await refused(front_door.change(claims, PASSWORD, weak), field="newPassword")
        await refused(front_door.reset(link, weak), field="newPassword")
    assert await _hash(owner, user) == before
    await front_door.reset(link, OTHER)


@pytest.mark.checklist(42, 43)
async def test_a_reset_ends_everything_of_before_and_begins_nothing(
    front_door: Rooms, owner: asyncpg.Connection
) -> None:
    user = await front_door.register(ADA)
    granted, claims = await front_door.enter(ADA)
    await front_door.moving.ask(claims, known("new@example.com"))
    moving = await newest_link(owner, "change_requested")
    old = await link_of(owner, await front_door.forgot(owner, ADA))
    link = await link_of(owner, await front_door.forgot(owner, ADA))
    assert old is not None
    assert link is not None
    await add_token(owner, user, "two_factor")
    assert await front_door.reset(link, OTHER) is None
    await refused(front_door.sessions.refresh(granted.refresh_token, SOMEWHERE), "unauthorized")
    for dead in (old, moving):
        await refused(front_door.reset(dead, PASSWORD), field="token")
    await refused(front_door.moving.confirm(moving, SOMEWHERE, None), field="token")
    assert await owner.fetchval("SELECT count(*) FROM auth.sessions WHERE ended_at IS NULL") == 0
    assert await owner.fetchval("SELECT count(*) FROM auth.devices") == 0
    assert await owner.fetchval("SELECT count(*) FROM auth.verification_tokens WHERE used_at IS NULL") == 0
    assert await owner.fetchval("SELECT email_verified FROM auth.users") is True
    assert (await ordered_mails(owner))[-1] == ("password_changed", ADA)


@pytest.mark.checklist(39)
async def test_of_twenty_resets_with_one_link_one_succeeds(front_door: Rooms, owner: asyncpg.Connection) -> None:
    await front_door.register(ADA)
    link = await link_of(owner, await front_door.forgot(owner, ADA))
    assert link is not None
    passwords = [f"staple of number {number}" for number in range(20)]
    outcomes = await asyncio.gather(*(front_door.reset(link, new) for new in passwords), return_exceptions=True)
    winners = [new for new, outcome in zip(passwords, outcomes, strict=True) if outcome is None]
    assert len(winners) == 1
    assert all(isinstance(outcome, Refusal) for outcome in outcomes if outcome is not None)
    await front_door.enter(ADA, winners[0])
    await refused(front_door.reset(link, PASSWORD), field="token")
    assert await owner.fetchval("SELECT count(*) FROM auth.security_events WHERE type = 'password.reset'") == 1


@pytest.mark.checklist(39)
async def test_an_expired_link_resets_nothing(front_door: Rooms, owner: asyncpg.Connection) -> None:
    await front_door.register(ADA)
    link = await link_of(owner, await front_door.forgot(owner, ADA))
    assert link is not None
    await expire(owner, link)
    await refused(front_door.reset(link, OTHER), field="token")
    await front_door.enter(ADA)


@pytest.mark.checklist(57)
async def test_a_banned_users_link_resets_nothing(front_door: Rooms, owner: asyncpg.Connection) -> None:
    await front_door.register(ADA)
    link = await link_of(owner, await front_door.forgot(owner, ADA))
    assert link is not None
    await owner.execute("UPDATE auth.users SET banned_at = now()")
    await refused(front_door.reset(link, OTHER), field="token")
    assert await owner.fetchval("SELECT used_at FROM auth.verification_tokens") is None


@pytest.mark.checklist(42)
async def test_a_change_that_waited_behind_another_finds_its_password_gone(
    front_door: Rooms, owner: asyncpg.Connection, front: asyncpg.Connection
) -> None:
    """Verified before the other's commit; the session that it came from has ended, or lives under another epoch."""
    user = await front_door.register(ADA)
    _, mine = await front_door.enter(ADA)
    _, other = await front_door.enter(ADA)
    async with acting(front, user):
        await front.execute("SELECT 1 FROM auth.users FOR UPDATE")
        waiting = asyncio.create_task(front_door.change(mine, PASSWORD, OTHER))
        await _until_waiting(owner)
        await front.execute("UPDATE auth.users SET credential_epoch = credential_epoch + 1")
    await refused(waiting, "forbidden")
    async with acting(front, user):
        await front.execute("SELECT 1 FROM auth.users FOR UPDATE")
        waiting = asyncio.create_task(front_door.change(other, PASSWORD, OTHER))
        await _until_waiting(owner)
        await front.execute("UPDATE auth.sessions SET ended_at = now(), ended_reason = 'revoked'")
    await refused(waiting, "unauthorized")
    await front_door.enter(ADA)


@pytest.mark.checklist(52)
async def test_who_registered_anothers_address_first_loses_it_by_the_reset(
    front_door: Rooms, owner: asyncpg.Connection
) -> None:
    """The owner of the address never had the password, and gets all of it by reading the mail."""
    await front_door.register(ADA, OTHER)
    granted, claims = await front_door.enter(ADA, OTHER)
    await front_door.moving.ask(claims, known(EVE))
    link = await link_of(owner, await front_door.forgot(owner, ADA))
    assert link is not None
    await front_door.reset(link, PASSWORD)
    await refused(front_door.enter(ADA, OTHER), "unauthorized")
    await refused(front_door.sessions.refresh(granted.refresh_token, SOMEWHERE), "unauthorized")
    asked = await owner.fetchval("SELECT id FROM auth.mails WHERE kind = 'change_requested'")
    assert asked is not None
    assert await link_of(owner, asked) is None, "ordered before the reset, mailed after it"
    await front_door.enter(ADA, PASSWORD)


Step = tuple[str, bool]
_STEPS = st.tuples(
    st.sampled_from(["change", "reset", "verify link", "change link", "spent link", "another's link", "no link"]),
    st.booleans(),
)


@pytest.mark.checklist(40, 41)
async def test_a_password_changes_only_by_itself_or_by_a_link_for_it(
    front_door: Rooms, owner: asyncpg.Connection
) -> None:
    """Any sequence of attempts, with the right current password or a wrong one, with links of every purpose."""
    loop = asyncio.get_running_loop()

    @settings(max_examples=25)
    @given(st.lists(_STEPS, min_size=1, max_size=8))
    def holds(steps: list[Step]) -> None:
        asyncio.run_coroutine_threadsafe(_play(front_door, owner, steps), loop).result(60)

    await asyncio.to_thread(holds)


async def _play(front_door: Rooms, owner: asyncpg.Connection, steps: list[Step]) -> None:
    await owner.execute("DELETE FROM auth.sessions; DELETE FROM auth.users; DELETE FROM auth.mails")
    await front_door.register(EVE)
    user, password, spent = await front_door.register(ADA), PASSWORD, no_link()
    for number, (step, right) in enumerate(steps):
        before, new = await _hash(owner, user), f"the staple after {number}"
        _, claims = await front_door.enter(ADA, password)
        if step == "change":
            attempt = front_door.change(claims, password if right else "wrong " + password, new)
            succeeds, code = right, "forbidden"
        else:
            link = spent if step == "spent link" else await _link(front_door, owner, claims, step)
            attempt, succeeds, code = (
                front_door.reset(link, new),
                step in {"reset", "another's link"},
                "invalid_request",
            )
            spent = link if step == "reset" else spent
        await (attempt if succeeds else refused(attempt, code))
        changed = succeeds and step != "another's link"
        password = new if changed else password
        assert (await _hash(owner, user) != before) is changed
    await front_door.enter(ADA, password)


async def _link(front_door: Rooms, owner: asyncpg.Connection, claims: Claims, step: str) -> str:
    match step:
        case "reset" | "another's link":
            link = await link_of(owner, await front_door.forgot(owner, ADA if step == "reset" else EVE))
        case "verify link":
            link = await newest_link(owner, "verify")
        case "change link":
            await front_door.moving.ask(claims, known("new@example.com"))
            link = await newest_link(owner, "change_requested")
        case _:
            link = no_link()
    assert link is not None
    return link


async def _until_waiting(owner: asyncpg.Connection) -> None:
    """Until some request of the front waits for a lock."""
    async with asyncio.timeout(20):
        while not await owner.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0.01)
