"""What a front remembers of apps that show tokens: nothing that it may not have heard the end of.

Here nobody tells ``Services`` of changes but the test: what they do not know shows what they remember.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import asyncpg
import pytest

from api.apps.services import Services
from api.auth.tokens import ServiceClaims
from api.database import Database as Pool
from contracts.apps import CHANGES_CHANNEL
from tests.integration.ledger.server import Database

CLAIMS = ServiceClaims(
    sub="chat",
    client_id="chat",
    scope="credits:use users:read",
    role="service",
    sid="abcdefghijkl",
    iss="mana",
    aud="mana",
    iat=0,
    exp=1,
    jti="01900000-0000-7000-8000-000000000001",
)


@pytest.fixture
async def services(database: Database, owner: asyncpg.Connection) -> AsyncGenerator[Services]:
    """Of a front that has caught up, and an app with a secret."""
    await owner.execute(
        "INSERT INTO credits.apps (id, name, permissions) VALUES ('chat', 'Chat', '{credits:use,users:read}')"
    )
    await owner.execute(
        "INSERT INTO auth.app_secrets (id, app_id, slot, hash) VALUES ($1, 'chat', 1, $2)", CLAIMS.sid, bytes(36)
    )
    async with Pool.connected(database.url("mana_api"), 2, "test") as pool:
        made = Services(pool)
        await made.catch_up(owner)
        yield made
    await owner.execute("DELETE FROM auth.app_secrets; DELETE FROM credits.apps")


async def _may(services: Services) -> set[str] | None:
    service = await services.find(CLAIMS)
    return None if service is None else set(service.app.permissions)


async def _give(owner: asyncpg.Connection, *permissions: str) -> None:
    await owner.execute("UPDATE credits.apps SET permissions = $1 WHERE id = 'chat'", [*permissions])


async def test_what_was_told_once_is_remembered_until_a_change_is_heard(
    services: Services, owner: asyncpg.Connection
) -> None:
    assert services.channel == CHANGES_CHANNEL
    assert await _may(services) == {"credits:use", "users:read"}
    await _give(owner, "credits:use")
    assert await _may(services) == {"credits:use", "users:read"}, "the database was asked again"
    services.hear("")
    assert await _may(services) == {"credits:use"}
    await owner.execute("UPDATE auth.app_secrets SET revoked_at = now()")
    services.hear("")
    assert await _may(services) is None


async def test_who_hears_nothing_asks_each_time(services: Services, owner: asyncpg.Connection) -> None:
    """[20]"""
    assert await _may(services) == {"credits:use", "users:read"}
    services.fall_deaf()
    for permissions in ({"credits:use"}, {"users:read"}, {"credits:use"}):
        await _give(owner, *permissions)
        assert await _may(services) == permissions
    await services.catch_up(owner)
    assert await _may(services) == {"credits:use"}


async def test_what_was_asked_before_a_change_was_heard_is_not_remembered(
    services: Services, owner: asyncpg.Connection
) -> None:
    """[20]: the answer may be of before the change."""
    asking = asyncio.create_task(_may(services))
    await asyncio.sleep(0)  # it has begun, and has no answer yet
    services.hear("")
    assert await asking == {"credits:use", "users:read"}
    await _give(owner, "credits:use")
    assert await _may(services) == {"credits:use"}


async def test_a_token_gives_no_more_than_it_was_given_for(services: Services, owner: asyncpg.Connection) -> None:
    await _give(owner, "credits:use", "credits:grant", "admin")
    assert await _may(services) == {"credits:use"}
