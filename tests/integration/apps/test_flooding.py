"""Goal: who floods is kept out for a while and let in again whatever happens, and others are answered all the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import asyncpg
import pytest
from mana_client import LoginRefused, Mana, NoAnswer, NotAllowed, NotConnected, Overloaded

from api.apps.admin.model import Declared
from contracts.topology import COMMANDS_EXCHANGE, command_queue
from ops.instance import Instance
from ops.programs import ProcessSettings, python, run_environment
from ops.state import DatabaseRole
from tests.e2e.client import Client
from tests.integration.api.process import PARTITIONS
from tests.integration.apps.broker import Broker, Given
from tests.integration.paused import paused
from tests.integration.workers.running import Running, running, until

_BACKLOG = 2_000
_PAUSE = "SELECT seconds, decided FROM credits.pause_app_login($1, $2)"
_SECOND = timedelta(seconds=1)


@asynccontextmanager
async def _flood(given: Given, user: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Sends uses as fast as the broker takes them, and comes back at once, until the block ends."""
    process = await asyncio.create_subprocess_exec(
        *python("bench.flood"), given.url, given.app, given.id, "0", user,
        env=run_environment({}), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _ended(flood: asyncio.subprocess.Process) -> dict[str, int]:
    """What it counted, once it was told to stop."""
    assert flood.stdin is not None
    assert flood.stdout is not None
    flood.stdin.close()
    told = await asyncio.wait_for(flood.stdout.read(), 20)
    return json.loads(told.splitlines()[-1])


async def _fate(given: Given, user: str) -> Literal["let in", "kept out", "neither"]:
    """Of a command that our own client sends. A busy ledger, or a login that is just made again, says nothing."""
    try:
        async with Mana(given.url, timeout=2) as mana:
            await mana.balance(user)
    except NotAllowed as error:
        assert error.what == f"exchange '{COMMANDS_EXCHANGE}'"  # noqa: PT017
        return "kept out"
    except (LoginRefused, Overloaded, NoAnswer, NotConnected):
        return "neither"
    return "let in"


async def _told(owner: asyncpg.Connection, given: Given) -> list[dict[str, Any]]:
    rows = await owner.fetch("SELECT details FROM auth.security_events WHERE type = 'app.paused' ORDER BY created_at")
    return [told for row in rows if (told := json.loads(row["details"]))["app"] == given.app]


async def test_who_floods_is_kept_out_and_let_in_again_and_others_are_answered(
    servers: Instance, keeper: Running, worker: Running, broker: Broker, owner: asyncpg.Connection
) -> None:
    """The worker finds a full partition, so that the flood is one on any machine."""
    flooding, steady = await broker.new_app(), await broker.new_app()

    def one_a_second(old: Declared) -> Declared:
        return Declared(old.name, old.permissions, 1, None)

    await broker.change(lambda changes: changes.change(flooding.app, one_a_second))
    async with Client.connected(servers.env["MANA_AMQP_URL"]) as client, Client.connected(steady.url) as other:
        user = await client.open_user()

        async def full() -> bool:
            looks = [await client.channel.declare_queue(command_queue(n), passive=True) for n in range(PARTITIONS)]
            return any((look.declaration_result.message_count or 0) >= _BACKLOG for look in looks)

        async def kept_out() -> bool:
            return await _fate(flooding, user) == "kept out"

        async def let_in() -> bool:
            return await _fate(flooding, user) == "let in"

        async with _flood(flooding, user) as flood:
            with paused(worker.child):
                await until(full, "a partition is full")
            await until(kept_out, "the flooding login may send no commands", worker.log)
            assert (await other.use(user, appId=steady.app))["ok"]
            counts = await _ended(flood)
        assert counts["connections"] >= 1
        await until(let_in, "it may send again", keeper.log)
    done = [(line.get("what"), line.get("about")) for line in keeper.output]
    assert ("paused", flooding.login) in done
    counted = await worker.meter("mana_app_pauses_total")
    told = await _told(owner, flooding)
    assert 1 <= counted <= len(told)
    assert told[0].keys() == {"app", "secret", "until", "inARow"}
    assert (told[0]["secret"], told[0]["inARow"]) == (flooding.id, 1)
    assert await owner.fetchval("SELECT pauses FROM auth.app_secrets WHERE id = $1", steady.id) == 0


@pytest.mark.slow
async def test_a_pause_ends_though_the_keeper_that_made_it_is_gone(
    servers: Instance, logs: Path, keeper: Running, worker: Running, broker: Broker, owner: asyncpg.Connection
) -> None:
    given = await broker.new_app()
    async with Client.connected(servers.env["MANA_AMQP_URL"]) as client:
        user = await client.open_user()

    async def kept_out() -> bool:
        return await _fate(given, user) == "kept out"

    async def over() -> bool:
        return bool(await owner.fetchval("SELECT paused_until < now() FROM auth.app_secrets WHERE id = $1", given.id))

    await owner.fetchrow(_PAUSE, given.login, 3 * _SECOND)
    await until(kept_out, "the login may send no commands", keeper.log)
    with paused(keeper.child):
        await until(over, "the pause is over")
        assert await kept_out()
        own = ProcessSettings(servers.addresses, PARTITIONS).apps()
        async with running(servers, logs, "workers.apps", own) as another:
            await another.ready()
            assert await _fate(given, user) == "let in"


async def test_each_pause_in_a_row_is_twice_as_long_and_none_is_for_ever(
    broker: Broker, owner: asyncpg.Connection, keeper: Running
) -> None:
    given, revoked = await broker.new_app(), await broker.new_app()
    await broker.revoke_secret(revoked)

    async def pause() -> tuple[int, bool]:
        (row,) = await owner.fetch(_PAUSE, given.login, 10 * _SECOND)
        return round(row["seconds"]), row["decided"]

    async def ends(ago: timedelta) -> None:
        await owner.execute(
            "UPDATE auth.app_secrets SET paused_until = now() - $2::interval WHERE id = $1", given.id, ago
        )

    lasted: list[int] = []
    for _ in range(7):
        seconds, decided = await pause()
        assert decided
        assert await pause() == (seconds, False)
        lasted.append(seconds)
        await ends(30 * _SECOND)
    assert lasted == [10, 20, 40, 80, 120, 120, 120]
    await ends(61 * _SECOND)
    assert await pause() == (10, True)
    await ends(_SECOND)
    assert len(await _told(owner, given)) == 8
    for nobody in (revoked.login, given.app, f"{given.app}.000000000000", "by-hand", ""):
        assert await owner.fetchrow(_PAUSE, nobody, _SECOND) is None
    assert keeper.child.returncode is None


@pytest.mark.parametrize("role", ["mana_api", "mana_apps", "mana_readonly"])
async def test_none_but_a_worker_may_pause(servers: Instance, role: DatabaseRole) -> None:
    connection = await asyncpg.connect(servers.addresses.database_as(role))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch(_PAUSE, "chat.000000000000", _SECOND)
    finally:
        await connection.close()
