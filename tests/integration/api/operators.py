"""Programs of an operator's, run as ``./mana`` runs them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ops.instance import Instance
from ops.programs import ProcessSettings, python, run_environment
from ops.state import DatabaseRole
from tests.integration.api.process import PARTITIONS

_SECONDS_MAX = 60


@dataclass(frozen=True)
class Said:
    """How a program ended, and what it wrote."""

    status: int
    output: str
    errors: str


@asynccontextmanager
async def operating(
    servers: Instance, program: str, *words: str, role: DatabaseRole = "mana_owner"
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """The running program; killed at the end of the block, if it has not ended before."""
    settings = ProcessSettings(servers.addresses, PARTITIONS).operator(role)
    child = await asyncio.create_subprocess_exec(
        *python(f"api.operators.{program}"),
        *words,
        env=run_environment(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def operate(servers: Instance, program: str, *words: str) -> Said:
    """Runs the program to its end."""
    async with operating(servers, program, *words) as child, asyncio.timeout(_SECONDS_MAX):
        output, errors = await child.communicate()
        return Said(child.returncode or 0, output.decode(), errors.decode())
