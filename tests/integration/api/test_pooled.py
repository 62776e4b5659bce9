"""A front behind a real PgBouncer that pools transactions, with fewer connections to the server than the front has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import asyncpg
import httpx
import pytest

from ops import packages, ports
from ops.instance import Instance
from ops.servers.pgbouncer import PgBouncer
from tests.integration.api.ledger import ScriptedLedger
from tests.integration.api.process import Process, another_front
from tests.integration.api.users import BASE, SignedIn, sign_up
from tests.integration.running import served

SERVER_CONNECTIONS = 2


@pytest.fixture(scope="module")
async def pooler(servers: Instance) -> AsyncGenerator[PgBouncer]:
    packages.require("pgbouncer", "pgbouncer", watch=lambda _line: None)
    url, passwords = servers.addresses.database, servers.addresses.secrets.roles
    server = PgBouncer(
        servers.data / "pooler",
        ports.choose(None, ()),
        url,
        {"mana_api": passwords["mana_api"]},
        SERVER_CONNECTIONS,
    )
    async with served(await server.prepare()):
        yield server


@pytest.fixture(scope="module")
async def pooled(servers: Instance, logs: Path, pooler: PgBouncer) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of a front that reaches the database through the pooler."""
    settings = {
        "DATABASE_URL": pooler.url("mana_api"),
        "DATABASE_DIRECT_URL": servers.addresses.database_as("mana_api"),
        "DATABASE_STATEMENT_CACHE": "0",
    }
    async with another_front(servers, logs, **settings) as (_, http):
        yield http


async def test_many_share_few_connections_and_each_sees_what_is_theirs(
    pooled: httpx.AsyncClient, ledger: ScriptedLedger, as_api: asyncpg.Connection
) -> None:
    began = await as_api.fetchval("SELECT now()")
    users = await asyncio.gather(*(sign_up(pooled) for _ in range(8)))
    await asyncio.gather(*(_spend_and_look(pooled, user) for user in users for _ in range(3)))
    connections = await as_api.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mana-api' AND backend_start > $1", began
    )
    assert connections is not None
    assert connections <= SERVER_CONNECTIONS
    assert not await as_api.fetchval("SELECT current_setting('app.user_id', true)")


async def _spend_and_look(http: httpx.AsyncClient, user: SignedIn) -> None:
    body = {"amount": 1, "appId": "chat", "description": "through the pooler"}
    answer = await http.post(f"{BASE}/credits/use", json=body, headers=user.headers)
    assert answer.status_code == 200, answer.text
    me, sessions = await asyncio.gather(
        http.get(f"{BASE}/auth/me", headers=user.headers), http.get(f"{BASE}/auth/sessions", headers=user.headers)
    )
    assert (me.json()["id"], me.json()["email"]) == (user.id, user.email)
    assert len(sessions.json()) == 1, sessions.text


async def test_it_hears_of_a_session_that_another_front_ended(
    pooled: httpx.AsyncClient, http: httpx.AsyncClient, user: SignedIn, api: Process
) -> None:
    assert (await pooled.get(f"{BASE}/credits/lots", headers=user.headers)).status_code == 200
    assert (await http.post(f"{BASE}/auth/logout", headers=user.headers)).status_code == 200, api.output
    async with asyncio.timeout(5):
        while (await pooled.get(f"{BASE}/credits/lots", headers=user.headers)).status_code != 401:
            await asyncio.sleep(0.05)
