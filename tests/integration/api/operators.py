"""Programs of an operator's, run as ``./mana`` runs them, or by what it hands over to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ops.instance import Instance
from ops.programs import ProcessSettings, python, run_environment
from tests.integration.api.process import PARTITIONS

_SECONDS_MAX = 60


@dataclass(frozen=True)
class Said:
    """How a program ended, and what it wrote."""

    status: int
    output: str
    errors: str


@asynccontextmanager
async def operating(servers: Instance, program: str, *words: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """The running program; killed at the end of the block, if it has not ended before."""
    settings = ProcessSettings(servers.addresses, PARTITIONS).operator("mana_owner")
    async with _running([*python(f"api.operators.{program}"), *words], run_environment(settings)) as child:
        yield child


@asynccontextmanager
async def _running(command: list[str], environment: dict[str, str]) -> AsyncGenerator[asyncio.subprocess.Process]:
    child = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def operate(servers: Instance, program: str, *words: str) -> Said:
    """Runs the program to its end."""
    async with operating(servers, program, *words) as child:
        return await _said(child)


async def launch(servers: Instance, *words: str) -> Said:
    """What ``./mana`` hands over to, in the instance's place."""
    environment = {**run_environment({}), "MANA_HOME": str(servers.place.home)}
    async with _running([*python("ops"), *words], environment) as child:
        return await _said(child)


async def _said(child: asyncio.subprocess.Process) -> Said:
    async with asyncio.timeout(_SECONDS_MAX):
        output, errors = await child.communicate()
    return Said(child.returncode or 0, output.decode(), errors.decode())
