"""A Redis of its own, or the given one, and nothing else."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from ops import ports
from ops.program import Program
from ops.servers import redis as servers
from tests.integration import given

_START_WITHIN_SECONDS = 20.0


@pytest.fixture(scope="package")
async def redis_url(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[str]:
    """Where it is."""
    if there := given.named(pytestconfig):
        yield there["REDIS_URL"]
        return
    folder = tmp_path_factory.mktemp("redis")
    for above in (folder, *folder.parents[:2]):
        above.chmod(0o711)
    server = servers.Redis(folder / "data", ports.choose(None, ()), "secret")
    process = await _started(await server.prepare(), folder / "log")
    yield server.url
    process.terminate()
    process.wait()


@pytest.fixture
async def redis(redis_url: str) -> AsyncGenerator[Redis]:
    """Its administrator's connection; a test finds it empty and as it was configured."""
    async with Redis.from_url(redis_url, decode_responses=True) as connection:
        await connection.flushall()
        yield connection
        await connection.config_set("maxmemory", "0")


async def _started(program: Program, log: Path) -> subprocess.Popen[bytes]:
    command = program.identity.command(program.argv, death_signal="TERM")
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=program.cwd, env=dict(program.env), stdout=output, stderr=output)
    until = time.monotonic() + _START_WITHIN_SECONDS
    while not await program.probe():
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            raise RuntimeError(f"Redis did not start: {log.read_text()}")
        await asyncio.sleep(0.05)
    return process
