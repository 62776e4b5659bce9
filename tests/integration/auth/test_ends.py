"""Ends of sessions and changes of keys are announced, and remembered for as long as a token of theirs may live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from tests.integration.auth.rows import acting, add_session, add_user
from tests.integration.ledger.server import Database

Heard = Callable[[], Awaitable[list[tuple[str, str]]]]


@pytest.fixture
async def heard(database: Database) -> AsyncGenerator[Heard]:
    """What was announced up to now: channel and payload."""
    listener = await asyncpg.connect(database.url("mana_api"))
    announced: list[tuple[str, str]] = []

    def note(_connection: object, _pid: int, channel: str, payload: str) -> None:
        announced.append((channel, payload))

    for channel in ("mana_session_ended", "mana_signing_keys"):
        await listener.add_listener(channel, note)

    async def told() -> list[tuple[str, str]]:
        await listener.execute("SELECT 1")
        await asyncio.sleep(0.05)
        return announced

    yield told
    await listener.close()


async def _ended(front: asyncpg.Connection) -> set[UUID]:
    rows = await front.fetch("SELECT auth.list_ended_sessions($1)", datetime.now(UTC) - timedelta(hours=1))
    return {row[0] for row in rows}


async def test_an_end_is_announced_and_remembered_once(
    owner: asyncpg.Connection, front: asyncpg.Connection, heard: Heard
) -> None:
    user = await add_user(owner)
    session, other = await add_session(owner, user), await add_session(owner, user)
    async with acting(front, user):
        await front.execute(
            "UPDATE auth.sessions SET ended_at = clock_timestamp(), ended_reason = 'logout' WHERE id = $1", session
        )
    assert await _ended(front) == {session}
    assert await heard() == [("mana_session_ended", str(session))]
    await owner.execute("DELETE FROM auth.sessions WHERE id = $1", session)
    assert await _ended(front) == {session}
    assert other not in await _ended(front)


async def test_a_deleted_session_is_remembered(
    owner: asyncpg.Connection, front: asyncpg.Connection, heard: Heard
) -> None:
    user = await add_user(owner)
    live, expired = await add_session(owner, user), await add_session(owner, user, "-1 h")
    await owner.execute("DELETE FROM auth.sessions")
    assert await _ended(front) == {live}, "no token outlives an expired session"
    assert await heard() == [("mana_session_ended", str(live))]
    assert expired not in await _ended(front)


async def test_an_end_that_is_rolled_back_is_none(
    owner: asyncpg.Connection, front: asyncpg.Connection, heard: Heard
) -> None:
    await add_session(owner, await add_user(owner))
    transaction = owner.transaction()
    await transaction.start()
    await owner.execute("UPDATE auth.sessions SET ended_at = now(), ended_reason = 'logout'")
    await transaction.rollback()
    assert await _ended(front) == set()
    assert await heard() == []


async def test_the_front_neither_reads_nor_writes_the_list_itself(front: asyncpg.Connection) -> None:
    for statement in ("SELECT 1 FROM auth.revocations", "DELETE FROM auth.revocations"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await front.execute(statement)


async def test_changes_of_keys_are_announced(front: asyncpg.Connection, heard: Heard) -> None:
    await front.execute(
        "INSERT INTO auth.signing_keys (kid, algorithm, public_jwk, sealed_private_key)"
        " VALUES (repeat('k', 43), 'EdDSA', '{}', 'x')"
    )
    await front.execute("UPDATE auth.signing_keys SET retired_at = now(), verify_until = now() WHERE kid = 'unknown'")
    assert await heard() == [("mana_signing_keys", "")], "nothing was changed by the second"
    await front.execute(
        "UPDATE auth.signing_keys SET retired_at = now(), verify_until = now(), sealed_private_key = NULL"
    )
    assert len(await heard()) == 2


async def test_a_key_that_may_sign_has_its_private_half(front: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="signing_keys_private"):
        await front.execute(
            "INSERT INTO auth.signing_keys (kid, algorithm, public_jwk) VALUES (repeat('k', 43), 'EdDSA', '{}')"
        )
