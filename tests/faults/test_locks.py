"""The locks before the crash points: each is tried by a process that must not come through it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import asyncpg
import pytest

from ops import urls
from ops.instance import Instance
from ops.place import CHECKOUT
from ops.programs import ProcessSettings, python, run_environment
from ops.servers.postgres import ADMINISTRATOR
from tests.faults.launching import CRASH_AT
from tests.integration.workers.running import PARTITIONS

_REFUSED = 2


async def _refusal(module: str, settings: Mapping[str, str]) -> str:
    """What a process says that must refuse to start."""
    child = await asyncio.create_subprocess_exec(
        *python(module), cwd=CHECKOUT, env=run_environment(settings), stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(child.communicate(), 60)
    assert child.returncode == _REFUSED, said
    return said.decode()


@pytest.mark.parametrize("module", ["workers", "workers.clock", "api", "api.relay"])
async def test_a_shipped_process_refuses_the_variable(module: str, servers: Instance) -> None:
    own = ProcessSettings(servers.addresses, PARTITIONS)
    settings = own.worker() if module.startswith("workers") else own.api()
    assert "MANA_CRASH_AT" in await _refusal(module, {**settings, CRASH_AT: "after_commit:1"})


@pytest.mark.parametrize("module", ["tests.faults.worker", "tests.faults.front"])
async def test_the_launcher_refuses_a_database_of_another_name(module: str, servers: Instance) -> None:
    url = urls.with_database(servers.addresses.database_as("mana_worker"), "mana")
    assert "does not end in _test" in await _refusal(module, {"DATABASE_URL": url, CRASH_AT: "after_commit:1"})


@pytest.mark.parametrize("module", ["tests.faults.worker", "tests.faults.front"])
async def test_the_launcher_refuses_a_database_that_no_test_has_made(module: str, servers: Instance) -> None:
    url = urls.with_database(servers.addresses.database_as("mana_owner"), "unmarked_test")
    password = servers.addresses.secrets.postgres_admin
    administrator = await asyncpg.connect(urls.with_login(servers.addresses.database, ADMINISTRATOR, password))
    try:
        await administrator.execute("CREATE DATABASE unmarked_test OWNER mana_owner")
        assert "mana_meta.environment does not hold" in await _refusal(module, {"DATABASE_URL": url})
    finally:
        await administrator.execute("DROP DATABASE unmarked_test")
        await administrator.close()


async def test_the_launcher_refuses_a_point_that_there_is_not(servers: Instance) -> None:
    settings = {"DATABASE_URL": servers.addresses.database_as("mana_worker"), CRASH_AT: "nowhere:1"}
    assert "there is no crash point 'nowhere'" in await _refusal("tests.faults.worker", settings)


async def test_no_other_process_of_ours_makes_the_mark(servers: Instance) -> None:
    """A role that runs processes may read it, and neither write it nor make it elsewhere."""
    for role in ("mana_worker", "mana_api", "mana_relay"):
        connection = await asyncpg.connect(servers.addresses.database_as(role))
        try:
            assert await connection.fetchval("SELECT value FROM mana_meta.environment") == "test"
            for statement in ("INSERT INTO mana_meta.environment VALUES ('x')", "CREATE SCHEMA another"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
        finally:
            await connection.close()
