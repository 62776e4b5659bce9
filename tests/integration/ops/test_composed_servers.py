"""What docker-compose.yml's servers are told makes of them what our processes expect."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from contracts.topology import BOUNDS_DEFAULT, LOGINS, broker_topology, command_queue, in_ring_order
from ops import broker_logins, scram, topology
from ops.management import Management
from ops.program import Program
from ops.urls import with_login
from tests.integration.ops.composing import MANAGEMENT, Composed
from tests.integration.ops.conftest import PARTITIONS
from tests.integration.running import served


def management(composed: Composed) -> Management:
    url = composed.local(f"http://rabbitmq:{MANAGEMENT}")
    return Management(url, "mana-admin", composed.secrets.login("mana-admin"))


async def test_definitions_make_all_of_the_topology_and_all_logins(broker: Program, composed: Composed) -> None:
    """The set-up, which runs behind them, finds nothing to make."""
    passwords = {login.name: composed.secrets.login(login.name) for login in broker_logins.OUR_LOGINS}
    async with management(composed) as at:
        before = await _held(at)
        users = {user["name"]: user for user in await at.get("users")}
        assert set(users) == {login.name for login in LOGINS}
        assert all(broker_logins.has_password(users[name], password) for name, password in passwords.items())
        wanted = broker_topology(PARTITIONS)
        assert {queue["name"] for queue in before["queues"]} == {queue.name for queue in wanted.queues}
        assert len(before["bindings"]) == len(wanted.bindings)
        await topology.refuse_several_nodes(at)
        await topology.declare(at, "/", PARTITIONS, passwords, BOUNDS_DEFAULT)
        after = await _held(at)
    for kind in after:
        assert _sorted(after[kind]) == _sorted(before[kind]), kind


async def _held(at: Management) -> dict[str, list[Any]]:
    held = await at.get("definitions", "/")
    kinds = {kind: held[kind] for kind in ("queues", "exchanges", "bindings", "policies")}
    return {**kinds, "permissions": await at.get("permissions"), "parameters": await at.get("operator-policies")}


def _sorted(things: list[Any]) -> list[str]:
    return sorted(json.dumps(thing, sort_keys=True) for thing in things)


async def test_definitions_bind_in_the_rings_order(broker: Program) -> None:
    """Each bucket is the queue's that a restart would give it to (docs/decisions/0014-bound-by-name.md)."""
    said = await _asked(broker, "consistent_hash_exchange_ring_state", "credits.commands")
    buckets = {int(number): queue for number, queue in re.findall(r"(\d+)\W+queue\W+(credits\.commands\.\d+)", said)}
    assert [buckets[number] for number in sorted(buckets)] == [
        command_queue(number) for number in in_ring_order(range(PARTITIONS))
    ], said


async def _asked(broker: Program, *question: str) -> str:
    diagnostics = Path(broker.argv[0]).with_name("rabbitmq-diagnostics")
    asking = await asyncio.create_subprocess_exec(
        *broker.identity.command([str(diagnostics), *question]),
        env=dict(broker.env),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asking.communicate()
    assert asking.returncode == 0, said
    return said.decode()


async def test_redis_lets_nobody_in_but_its_login(composed: Composed) -> None:
    async with served(await composed.redis()):
        assert await composed.is_healthy("redis")
        home = composed.folder / "redis"
        (home / "redis_password").write_text("another")
        assert not await composed.is_healthy("redis")


async def test_pgbouncer_lets_the_front_in_with_what_postgresql_knows_of_it(database: Composed) -> None:
    password = database.secrets.roles["mana_api"]
    administrator = with_login(
        database.local("postgresql://@postgres:5432/postgres"), "mana_admin", database.secrets.postgres_admin
    )
    connection = await asyncpg.connect(administrator)
    try:
        await connection.execute(f"CREATE ROLE mana_api LOGIN PASSWORD '{scram.record('mana_api', password)}'")
        await connection.execute("CREATE DATABASE mana OWNER mana_api")
    finally:
        await connection.close()
    async with served(await database.pgbouncer()):
        assert await database.is_healthy("pgbouncer")
        wrong = database.local("postgresql://mana_api:wrong@pgbouncer:6432/mana")
        with pytest.raises(asyncpg.ProtocolViolationError, match="SASL authentication failed"):
            await asyncpg.connect(wrong, statement_cache_size=0)
