"""What two fronts do to one user's sessions at the same time, and what time does to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from api.auth import standing
from api.auth.ended_sessions import ANNOUNCED_MAX, EndedSessions
from api.auth.ending import end_sessions
from api.auth.model import Lifetimes
from api.auth.starting import Grant
from api.errors import Refusal
from tests.integration.auth.doors import Front, front_of
from tests.integration.auth.rooms import LIFETIMES, SOMEWHERE
from tests.integration.auth.rows import acting, add_session, add_user
from tests.integration.ledger.server import Database

NO_GRACE = Lifetimes(LIFETIMES.refresh, LIFETIMES.session, timedelta(0))
LIVE = "SELECT count(*) FROM auth.sessions WHERE ended_at IS NULL"
A_DAY_LATER = """
UPDATE auth.sessions SET created_at = created_at - interval '1 day', expires_at = expires_at - interval '1 day',
    rotated_at = rotated_at - interval '1 day'
"""
TOKENS_TOO = """
UPDATE auth.refresh_tokens SET created_at = created_at - interval '1 day', expires_at = expires_at - interval '1 day'
"""


@pytest.fixture
async def here(database: Database) -> AsyncGenerator[Front]:
    """One front; a user has at most three sessions."""
    async with front_of(database, LIFETIMES, sessions_max=3) as front:
        yield front


@pytest.fixture
async def there(database: Database) -> AsyncGenerator[Front]:
    """Another front."""
    async with front_of(database, LIFETIMES, sessions_max=3) as front:
        yield front


@pytest.fixture
async def user(owner: asyncpg.Connection) -> UUID:
    """Somebody."""
    return await add_user(owner)


async def _refreshed(front: Front, token: str) -> Grant | None:
    try:
        return await front.sessions.refresh(token, SOMEWHERE)
    except Refusal:
        return None


@pytest.mark.parametrize("everywhere", [False, True], ids=["logout", "logout-all"])
async def test_a_refresh_beside_the_end_brings_nothing_back(
    here: Front, there: Front, user: UUID, owner: asyncpg.Connection, everywhere: bool
) -> None:
    """[6]: 200 rounds in all, the end now earlier, now later; whoever wins, no token works afterwards."""
    end = there.sessions.end_all if everywhere else there.sessions.end
    for number in range(100):
        given, claims = await here.begin(user)
        refreshing = asyncio.create_task(_refreshed(here, given.refresh_token))
        await asyncio.sleep(number % 10 / 500)
        await end(claims, SOMEWHERE)
        refreshed = await refreshing
        assert not await here.sessions.is_stored_live(claims)
        for token in {given.refresh_token, given.refresh_token if refreshed is None else refreshed.refresh_token}:
            assert await _refreshed(there, token) is None
    assert await owner.fetchval(LIVE) == 0


async def test_of_two_sessions_that_end_each_other_one_remains(
    here: Front, there: Front, user: UUID, owner: asyncpg.Connection
) -> None:
    """Both wait inside, past their guards, until the rows of sessions are free."""
    one, other = (await here.begin(user))[1], (await there.begin(user))[1]
    async with owner.transaction():
        await owner.execute("SELECT 1 FROM auth.sessions FOR UPDATE")
        ends = [
            asyncio.create_task(front.sessions.end_listed(mine, theirs.session_id, SOMEWHERE))
            for front, mine, theirs in ((here, one, other), (there, other, one))
        ]
        async with asyncio.timeout(10):
            while await owner.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted") != 2:
                await asyncio.sleep(0.01)
    refused = [each for each in await asyncio.gather(*ends, return_exceptions=True) if each is not None]
    assert [each.error.code for each in refused if isinstance(each, Refusal)] == ["unauthorized"]
    assert await owner.fetchval(LIVE) == 1


async def test_one_token_of_a_session_lives_and_one_seal(here: Front, user: UUID, owner: asyncpg.Connection) -> None:
    """[2]: however often it went on, and however often an answer was lost."""
    token = (await here.begin(user))[0].refresh_token
    for _ in range(4):
        lost = await here.sessions.refresh(token, SOMEWHERE)
        again = await here.sessions.refresh(token, SOMEWHERE)
        assert again.refresh_token == lost.refresh_token
        token = lost.refresh_token
    rows = await owner.fetch(
        "SELECT refresh_tokens.generation = sessions.generation AS lives, sealed_successor IS NOT NULL AS sealed"
        " FROM auth.refresh_tokens JOIN auth.sessions ON sessions.id = session_id ORDER BY refresh_tokens.generation"
    )
    assert [(row["lives"], row["sealed"]) for row in rows] == [*[(False, False)] * 3, (False, True), (True, False)]


async def test_no_more_sessions_than_may_be_however_many_start_at_once(
    here: Front, there: Front, user: UUID, owner: asyncpg.Connection
) -> None:
    old = await add_session(owner, user)
    started = await asyncio.gather(*(front.start(user) for front in (here, there) for _ in range(10)))
    assert await owner.fetchval(LIVE) == 3
    assert await owner.fetchval("SELECT ended_reason FROM auth.sessions WHERE id = $1", old) == "revoked"
    events = "SELECT count(*) FROM auth.security_events WHERE type = 'session.put_out'"
    assert await owner.fetchval(events) == 18
    last = await here.start(user)
    assert await owner.fetchval("SELECT ended_at FROM auth.sessions WHERE id = $1", last.session_id) is None
    assert len({each.session_id for each in started}) == 20


async def test_expired_sessions_take_no_room(here: Front, user: UUID, owner: asyncpg.Connection) -> None:
    living = [(await here.start(user)).session_id for _ in range(2)]
    for _ in range(3):
        await add_session(owner, user, "-1 h")
    living.append((await here.start(user)).session_id)
    rows = await owner.fetch("SELECT id FROM auth.sessions WHERE ended_at IS NULL AND expires_at > now()")
    assert {row["id"] for row in rows} == set(living)


async def test_a_session_that_is_refreshed_daily_ends_at_its_limit(
    here: Front, user: UUID, owner: asyncpg.Connection
) -> None:
    """[10]: the clock is moved by moving what it is compared with."""
    token = (await here.begin(user))[0].refresh_token
    for _ in range(29):
        await owner.execute(A_DAY_LATER)
        await owner.execute(TOKENS_TOO)
        token = (await here.sessions.refresh(token, SOMEWHERE)).refresh_token
    await owner.execute(A_DAY_LATER)
    await owner.execute(TOKENS_TOO)
    assert await _refreshed(here, token) is None


async def test_without_a_grace_a_lost_answer_ends_the_session(
    database: Database, user: UUID, owner: asyncpg.Connection
) -> None:
    async with front_of(database, NO_GRACE) as front:
        token = (await front.begin(user))[0].refresh_token
        await front.sessions.refresh(token, SOMEWHERE)
        assert await _refreshed(front, token) is None
    assert await owner.fetchval("SELECT ended_reason FROM auth.sessions") == "reuse"


async def test_who_waits_behind_the_end_of_all_sessions_ends_nothing(
    here: Front, user: UUID, front: asyncpg.Connection, owner: asyncpg.Connection
) -> None:
    """An act in a session that ends while it waits for its turn is refused."""
    other = (await here.begin(user))[1]
    claims = (await here.begin(user))[1]
    async with acting(front, user):
        await standing.seize(front, user)
        acts = [
            asyncio.create_task(here.sessions.end_all(claims, SOMEWHERE)),
            asyncio.create_task(here.sessions.end_listed(claims, other.session_id, SOMEWHERE)),
        ]
        await asyncio.sleep(0.2)
        await end_sessions(front, user, "password", but=other.session_id)
    for act in acts:
        with pytest.raises(Refusal) as refused:
            await act
        assert refused.value.error.code == "unauthorized"
    assert await owner.fetchval("SELECT ended_at FROM auth.sessions WHERE id = $1", other.session_id) is None
    assert await owner.fetchval("SELECT credential_epoch FROM auth.users") == 0


async def test_a_front_that_begins_to_listen_later_knows_of_a_session_that_was_deleted(
    user: UUID, owner: asyncpg.Connection, front: asyncpg.Connection
) -> None:
    """[20] [57]: with its user, for example."""
    session, other = await add_session(owner, user), await add_session(owner, await add_user(owner))
    await owner.execute("DELETE FROM auth.sessions WHERE id = $1", session)
    ended = EndedSessions(timedelta(minutes=15), lambda: 1_000_000.0)
    await ended.catch_up(front)
    assert (ended.has_ended(session), ended.has_ended(other)) == (True, False)


async def test_what_anybody_may_have_announced_is_asked_of_the_database(
    user: UUID, owner: asyncpg.Connection, front: asyncpg.Connection
) -> None:
    """[20]: any login may announce an end; it must neither log others out nor fill the memory."""
    session, other = await add_session(owner, user), await add_session(owner, user)
    ended = EndedSessions(timedelta(minutes=15), lambda: 1_000_000.0)
    await ended.catch_up(front)
    ended.hear(str(session))
    assert (ended.has_ended(session), ended.has_ended(other)) == (None, False)
    ended.add(session)
    assert ended.has_ended(session) is True
    for number in range(ANNOUNCED_MAX + 1):
        ended.hear(str(UUID(int=number)))
    assert (ended.has_ended(session), ended.has_ended(other)) == (True, None)
