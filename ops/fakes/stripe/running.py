"""The stand-in as a process of its own, for tests and demonstrations."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from ops import ports
from ops.ending import end
from ops.place import CHECKOUT
from ops.programs import python

_READY_SECONDS = 30
_STOP_SECONDS = 10
_BETWEEN_QUESTIONS = 0.05


class NotStartedError(Exception):
    """The stand-in does not run; with what it wrote."""


@dataclass(frozen=True)
class StandIn:
    """A stand-in that runs: where, and as which process."""

    url: str
    pid: int
    log: Path


@asynccontextmanager
async def running(log: Path, *options: str, port: int | None = None) -> AsyncGenerator[StandIn]:
    """Runs a stand-in on a free port of the loopback interface until the block ends; ``options`` as for the program."""
    port = ports.choose(port, ())
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}
    argv = [*python("ops.fakes.stripe"), "--port", str(port), *options]
    with log.open("wb") as sink:
        child = await asyncio.create_subprocess_exec(*argv, env=environment, stdout=sink, stderr=sink)
    stand_in = StandIn(f"http://127.0.0.1:{port}", child.pid, log)
    try:
        async with asyncio.timeout(_READY_SECONDS):
            await _until_ready(stand_in, child)
        yield stand_in
    finally:
        await end(child, _STOP_SECONDS)


async def _until_ready(stand_in: StandIn, child: asyncio.subprocess.Process) -> None:
    async with httpx.AsyncClient(base_url=stand_in.url) as http:
        while True:
            if child.returncode is not None:
                raise NotStartedError(stand_in.log.read_text(encoding="utf-8", errors="replace"))
            try:
                if (await http.get("/_test/health")).is_success:
                    return
            except httpx.TransportError:
                pass  # it does not listen yet
            await asyncio.sleep(_BETWEEN_QUESTIONS)
