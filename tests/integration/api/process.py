"""Our own processes, started by a test with an environment of the test's choosing."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from ops import ports
from ops.instance import UNHINDERED, Instance
from ops.programs import ProcessSettings, python, run_environment

PARTITIONS = 4


@dataclass(frozen=True)
class Process:
    """A running process and where its HTTP is; ``output`` is what it has written so far."""

    url: str
    child: asyncio.subprocess.Process
    log: Path

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")


@asynccontextmanager
async def started(module: str, environment: Mapping[str, str], port: int, log: Path) -> AsyncGenerator[Process]:
    """Runs a module until the block ends, then stops it as a supervisor does, and sees it exit with 0."""
    with log.open("wb") as sink:
        child = await asyncio.create_subprocess_exec(
            *python(module), env=run_environment(environment), stdout=sink, stderr=sink
        )
    process = Process(f"http://127.0.0.1:{port}", child, log)
    try:
        await _until_live(process)
        yield process
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            status = await child.wait()
    assert status == 0, process.output


@asynccontextmanager
async def front(instance: Instance, folder: Path, **settings: str) -> AsyncGenerator[Process]:
    """A front on the instance's servers; no limit on requests holds it up unless ``settings`` say so. Where they lead
    it to no other Redis it waits for an answer, so that what is counted is exact on a busy machine too."""
    port = ports.choose(None, ())
    own = ProcessSettings(instance.addresses, PARTITIONS).api()
    if "REDIS_URL" not in settings:
        own["REDIS_WAIT_MS"] = "5000"
    environment = {**own, **UNHINDERED, "MANA_ENVIRONMENT": "development", "PORT": str(port), **settings}
    async with started("api", environment, port, folder / f"api-{port}.log") as process:
        yield process


@asynccontextmanager
async def another_front(
    instance: Instance, folder: Path, **settings: str
) -> AsyncGenerator[tuple[Process, httpx.AsyncClient]]:
    """A front that is ready, beside the one of all tests, and a client of it."""
    async with (
        front(instance, folder, **settings) as process,
        httpx.AsyncClient(base_url=process.url, timeout=40) as client,
    ):
        await until_ready(process)
        yield process, client


@asynccontextmanager
async def relay(instance: Instance, folder: Path) -> AsyncGenerator[Process]:
    """The outbox's relay."""
    port = ports.choose(None, ())
    own = ProcessSettings(instance.addresses, PARTITIONS).relay()
    environment = {**own, "METRICS_PORT": str(port)}
    async with started("api.relay", environment, port, folder / f"relay-{port}.log") as process:
        yield process


@asynccontextmanager
async def worker(instance: Instance, folder: Path) -> AsyncGenerator[Process]:
    """A ledger worker."""
    port = ports.choose(None, ())
    own = ProcessSettings(instance.addresses, PARTITIONS).worker()
    environment = {**own, "METRICS_PORT": str(port)}
    async with started("workers", environment, port, folder / f"worker-{port}.log") as process:
        await until_ready(process)
        yield process


@asynccontextmanager
async def keeper(instance: Instance, folder: Path) -> AsyncGenerator[Process]:
    """Who makes apps' logins at the broker."""
    port = ports.choose(None, ())
    own = ProcessSettings(instance.addresses, PARTITIONS).apps()
    environment = {**own, "METRICS_PORT": str(port)}
    async with started("workers.apps", environment, port, folder / f"apps-{port}.log") as process:
        await until_ready(process)
        yield process


async def until_ready(process: Process) -> None:
    """Waits until the process says that it can serve."""
    await _until(process, "/health/ready")


async def _until_live(process: Process) -> None:
    await _until(process, "/health/live")


async def _until(process: Process, path: str) -> None:
    async with httpx.AsyncClient(base_url=process.url) as http:
        for _ in range(300):
            assert process.child.returncode is None, process.output
            try:
                if (await http.get(path)).status_code == 200:
                    return
            except httpx.TransportError:
                pass  # it does not listen yet
            await asyncio.sleep(0.1)
    raise AssertionError(f"{path} never said 200: {process.output}")
