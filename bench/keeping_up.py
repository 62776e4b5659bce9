"""A subscriber that keeps up, in a process of its own, so that its work does not delay the load's."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from bench.errors import BenchError
from bench.subscriber import Verdict
from ops.place import CHECKOUT
from ops.programs import python

_READY_SECONDS: Final = 30.0
_PATIENCE_SECONDS: Final = 300.0


class KeepingUp:
    """Reads one queue."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def has(self, usages: int) -> Verdict:
        """What it got, once it has so many usages, or nothing came for half a minute. Raises ``BenchError``."""
        said, _ = await asyncio.wait_for(self._process.communicate(b"%d\n" % usages), _PATIENCE_SECONDS)
        try:
            return msgspec.json.decode(said.strip().splitlines()[-1], type=Verdict)
        except (IndexError, msgspec.DecodeError) as error:
            raise BenchError(f"The subscriber ended with status {self._process.returncode}: {said!r}.") from error


@asynccontextmanager
async def keeping_up(url: str, queue: str) -> AsyncGenerator[KeepingUp]:
    """It consumes; ended at the end of the block. Raises ``BenchError`` where it does not come up."""
    environment = {**os.environ, "AMQP_URL": url, "PYTHONPATH": str(CHECKOUT)}
    command = [*python("bench.subscriber"), queue]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, env=environment, cwd=CHECKOUT)
    try:
        if process.stdout is None or await asyncio.wait_for(process.stdout.readline(), _READY_SECONDS) != b"ready\n":
            raise BenchError("The subscriber that keeps up did not come up.")
        yield KeepingUp(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
