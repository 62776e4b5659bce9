"""What proves a user changes while a sign-in or a refresh is under way: what began under the old proof ends there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import bcrypt
import pytest

from api.auth import standing
from api.auth.emails import parse
from api.auth.ending import end_sessions
from api.auth.hashing import Hasher
from api.auth.sessions import Sessions
from api.auth.sign_in import Credentials, SignIn
from api.auth.starting import Grant
from api.errors import Refusal, Unavailable
from api.throttle.classes import Backoff
from api.throttle.limiter import Charge, Verdict
from tests.integration.auth.rooms import LAPTOP, PASSWORD, SOMEWHERE, CheapHasher, NoLimiter, rooms
from tests.integration.auth.rows import acting, add_user
from tests.integration.ledger.server import Database

CREDENTIALS = Credentials(parse("ada@example.com"), PASSWORD)


class PausingHasher(Hasher):
    """Says when it has verified, and goes on when it is told to."""

    def __init__(self) -> None:
        super().__init__(1)
        self.verified, self.go_on = asyncio.Event(), asyncio.Event()
        self.go_on.set()

    async def verify(self, password: str, stored: str | None, subject: bytes) -> bool:
        fits = await super().verify(password, stored, subject)
        self.verified.set()
        await self.go_on.wait()
        return fits


class FullHasher(CheapHasher):
    """Checks hashes, and makes none while it is full."""

    is_full = False

    async def hash(self, password: str) -> str:
        if self.is_full:
            raise Unavailable("passwords", "too many sign-ins at once")
        return await super().hash(password)


class Guesses(NoLimiter):
    """Counts the guesses that count."""

    open = 0

    async def take(self, *charges: Charge) -> Verdict:
        self.open += _guesses(charges)
        return await super().take(*charges)

    async def give_back(self, *charges: Charge) -> None:
        self.open -= _guesses(charges)


def _guesses(charges: Iterable[Charge]) -> int:
    return sum(isinstance(charge.limit, Backoff) for charge in charges)


@dataclass(frozen=True)
class Doors:
    """Sign-in and refresh over a real database."""

    hasher: PausingHasher
    sign_in: SignIn
    sessions: Sessions
    user: UUID

    async def enter(self) -> Grant:
        """A session of the user's."""
        granted = await self.sign_in.sign_in(CREDENTIALS, SOMEWHERE, LAPTOP)
        assert isinstance(granted, Grant)
        return granted


@pytest.fixture
async def doors(database: Database, owner: asyncpg.Connection) -> AsyncGenerator[Doors]:
    hasher = PausingHasher()
    user = await add_user(owner, "ada@example.com")
    await owner.execute("UPDATE auth.passwords SET hash = $1", await hasher.hash(CREDENTIALS.password))
    async with rooms(database.url("mana_api"), hasher=hasher) as opened:
        yield Doors(hasher, opened.sign_in, opened.sessions, user)
    hasher.close()


async def test_a_sign_in_with_the_old_password_starts_no_session_after_the_change(
    doors: Doors, owner: asyncpg.Connection, front: asyncpg.Connection
) -> None:
    """[42]: verified before the change, about to start after it."""
    doors.hasher.go_on.clear()
    signing_in = asyncio.create_task(doors.sign_in.sign_in(CREDENTIALS, SOMEWHERE, LAPTOP))
    await doors.hasher.verified.wait()
    async with acting(front, doors.user):
        await standing.seize(front, doors.user)
        await standing.bump(front, doors.user)
        await end_sessions(front, doors.user, "password")
    doors.hasher.go_on.set()
    with pytest.raises(Refusal) as refused:
        await signing_in
    assert refused.value.error.code == "unauthorized"
    assert await owner.fetch("SELECT 1 FROM auth.sessions") == []
    assert await owner.fetchval("SELECT count(*) FROM auth.security_events WHERE type = 'sign_in.failed'") == 1


async def test_a_sign_in_starts_no_session_after_the_ban(doors: Doors, owner: asyncpg.Connection) -> None:
    """[57]."""
    doors.hasher.go_on.clear()
    signing_in = asyncio.create_task(doors.sign_in.sign_in(CREDENTIALS, SOMEWHERE, LAPTOP))
    await doors.hasher.verified.wait()
    await owner.execute("UPDATE auth.users SET banned_at = now()")
    doors.hasher.go_on.set()
    with pytest.raises(Refusal):
        await signing_in
    assert await owner.fetch("SELECT 1 FROM auth.sessions") == []


async def test_a_known_device_is_known_again(doors: Doors, owner: asyncpg.Connection) -> None:
    await doors.enter()
    known = await owner.fetchval("SELECT device_hash FROM auth.devices")
    found = await owner.fetchrow("SELECT * FROM auth.find_sign_in('ada@example.com', $1)", known)
    assert found is not None
    assert found["known_device"] is True
    await doors.enter()
    assert await owner.fetchval("SELECT count(*) FROM auth.devices") == 1


async def test_a_lost_answer_is_given_again_and_a_spent_token_ends_the_session(
    doors: Doors, owner: asyncpg.Connection
) -> None:
    """[2] [3] [9]."""
    first = (await doors.enter()).refresh_token
    second = (await doors.sessions.refresh(first, SOMEWHERE)).refresh_token
    assert (await doors.sessions.refresh(first, SOMEWHERE)).refresh_token == second
    third = (await doors.sessions.refresh(second, SOMEWHERE)).refresh_token
    with pytest.raises(Refusal):
        await doors.sessions.refresh(first, SOMEWHERE)
    with pytest.raises(Refusal):
        await doors.sessions.refresh(third, SOMEWHERE)
    assert await owner.fetchval("SELECT ended_reason FROM auth.sessions") == "reuse"


async def test_after_the_grace_a_spent_token_is_a_stolen_one(doors: Doors, owner: asyncpg.Connection) -> None:
    """[9]."""
    first = (await doors.enter()).refresh_token
    await doors.sessions.refresh(first, SOMEWHERE)
    await owner.execute("UPDATE auth.sessions SET rotated_at = rotated_at - interval '11 s'")
    with pytest.raises(Refusal):
        await doors.sessions.refresh(first, SOMEWHERE)
    assert await owner.fetchval("SELECT ended_reason FROM auth.sessions") == "reuse"


async def test_no_lost_answer_is_given_again_beyond_the_sessions_end(doors: Doors, owner: asyncpg.Connection) -> None:
    """Within the grace, but the session is over."""
    first = (await doors.enter()).refresh_token
    await doors.sessions.refresh(first, SOMEWHERE)
    await owner.execute("UPDATE auth.sessions SET expires_at = created_at + interval '1 us'")
    with pytest.raises(Refusal):
        await doors.sessions.refresh(first, SOMEWHERE)
    assert await owner.fetchval("SELECT ended_reason FROM auth.sessions") is None


async def test_a_refresh_waits_for_the_change_and_then_finds_the_session_ended(
    doors: Doors, front: asyncpg.Connection
) -> None:
    """[6]."""
    token = (await doors.enter()).refresh_token
    async with acting(front, doors.user):
        await standing.seize(front, doors.user)
        refreshing = asyncio.create_task(doors.sessions.refresh(token, SOMEWHERE))
        await asyncio.sleep(0.2)
        assert not refreshing.done()
        await end_sessions(front, doors.user, "revoked")
    with pytest.raises(Refusal):
        await refreshing


async def test_a_banned_users_token_refreshes_nothing(doors: Doors, owner: asyncpg.Connection) -> None:
    """[57]."""
    token = (await doors.enter()).refresh_token
    await owner.execute("UPDATE auth.users SET banned_at = now()")
    with pytest.raises(Refusal):
        await doors.sessions.refresh(token, SOMEWHERE)


async def test_a_right_password_counts_for_nothing_where_no_session_could_be_started(
    database: Database, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[31]: owners who try again while the database is slow are not taken for somebody who guesses."""
    guesses = Guesses()
    monkeypatch.setattr("api.database.STATEMENT_SECONDS_MAX", 2.0)
    async with rooms(database.url("mana_api"), limiter=guesses) as opened:
        await opened.register("ada@example.com")
        async with owner.transaction():
            await owner.execute("LOCK TABLE auth.sessions")
            with pytest.raises(Unavailable):
                await opened.enter("ada@example.com")
        assert guesses.open == 0
        with pytest.raises(Refusal):
            await opened.enter("ada@example.com", "wrong " + PASSWORD)
        assert guesses.open == 1


async def test_an_imported_hash_is_replaced_later_where_the_hasher_is_full(
    database: Database, owner: asyncpg.Connection
) -> None:
    """[36]: on the first day after an import everybody's hash is to be replaced."""
    hasher = FullHasher()
    async with rooms(database.url("mana_api"), hasher=hasher) as opened:
        await opened.register("ada@example.com")
        imported = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        await owner.execute("UPDATE auth.passwords SET hash = $1", imported)
        hasher.is_full = True
        await opened.enter("ada@example.com")
        assert await owner.fetchval("SELECT hash FROM auth.passwords") == imported
        hasher.is_full = False
        await opened.enter("ada@example.com")
        replaced = await owner.fetchval("SELECT hash FROM auth.passwords")
        assert replaced is not None
        assert replaced.startswith("$argon2id$")
    hasher.close()
