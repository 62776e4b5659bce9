"""Somebody else's server on a port that was free when it was chosen is not taken for ours."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ops import ports, probes
from ops.program import Probe
from ops.servers.redis import Redis, binary


async def test_a_redis_without_passwords_is_not_ours(tmp_path: Path) -> None:
    """It takes every password."""
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(0o711)
    ours = Redis(tmp_path / "data", ports.choose(None, ()), "secret")
    program = await ours.prepare()
    server = binary()
    assert server is not None
    with running([server, "--port", str(ours.port), "--bind", "127.0.0.1", "--save", ""], tmp_path):
        await until(probes.redis_server(ours.url))
        assert not await program.probe()
    with running(program.identity.command(program.argv, death_signal="TERM"), tmp_path):
        await until(program.probe)


@contextmanager
def running(command: Sequence[str], folder: Path) -> Generator[None]:
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


async def until(answers: Probe) -> None:
    async with asyncio.timeout(20):
        while not await answers():
            await asyncio.sleep(0.02)
