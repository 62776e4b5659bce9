"""Workers as processes, started and ended by a test as a supervisor would, or worse."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from contracts.topology import WORKER_LOGIN
from ops import ports
from ops.instance import Instance
from ops.place import CHECKOUT
from ops.programs import python, run_environment
from tests.faults.tools import telling

PARTITIONS = 4
PATIENCE = 30.0
_NUMBERS = count()


@dataclass(frozen=True)
class Running:
    """A worker's process. ``url`` is where its health and metrics are."""

    name: str
    url: str
    child: asyncio.subprocess.Process
    log: Path

    @property
    def output(self) -> list[dict[str, Any]]:
        """Its log lines so far."""
        return telling.log_lines(self.log)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to this very process."""
        os.kill(self.child.pid, number)

    async def health(self) -> dict[str, Any]:
        """What ``/health/ready`` says; empty while nobody answers."""
        return await telling.health(self.url)

    async def meter(self, name: str) -> float:
        """The sum of a meter over its labels; -1 where there is none of this name, or nobody answers."""
        return (await telling.meters(self.url)).get(name, -1)

    async def ready(self, within: float = PATIENCE) -> None:
        """Returns once it is ready. Fails with its log when it is not in time."""
        await until(self._is_ready, f"{self.url} is ready", self.log, within)

    async def owns(self, partitions: int) -> None:
        """Returns once it consumes exactly so many partitions."""

        async def look() -> bool:
            owned = await self.meter("mana_partitions_owned")
            return owned == partitions == await self.meter("mana_partitions_consuming")

        await until(look, f"{self.url} owns {partitions}", self.log)

    async def _is_ready(self) -> bool:
        assert self.child.returncode is None, self.log.read_text()
        return await telling.is_ready(self.url)


async def until(look: Callable[[], Any], what: str, log: Path | None = None, within: float = PATIENCE) -> None:
    """Waits until ``look`` (a coroutine function) answers something true."""
    await telling.until(look, what, within, log)


@asynccontextmanager
async def running(
    instance: Instance, folder: Path, module: str = "workers", environment: Mapping[str, str] | None = None
) -> AsyncGenerator[Running]:
    """A worker until the block ends; then it drains, if it still lives, and must exit with 0."""
    number = next(_NUMBERS)
    port = ports.choose(None, set())
    log = folder / f"{module}-{number}.log"
    settings = {
        "DATABASE_URL": instance.addresses.database_as("mana_worker"),
        "AMQP_URL": instance.addresses.amqp_as(WORKER_LOGIN),
        "MANA_PARTITIONS": str(PARTITIONS),
        "MANA_ADMIN_LOGINS": instance.addresses.administrator,
        "MANA_SYSTEM_LOGINS": WORKER_LOGIN,
        "MANA_PROCESS_NAME": f"{module}-{number}",
        "METRICS_PORT": str(port),
        **(environment or {}),
    }
    with log.open("wb") as sink:
        child = await asyncio.create_subprocess_exec(
            *python(module), cwd=CHECKOUT, env=run_environment(settings), stdout=sink, stderr=sink
        )
    worker = Running(settings["MANA_PROCESS_NAME"], f"http://127.0.0.1:{port}", child, log)
    try:
        yield worker
        if child.returncode is None:
            child.terminate()
            assert await asyncio.wait_for(child.wait(), 20) == 0, log.read_text()[-4000:]
            assert "not drained in time" not in log.read_text()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
