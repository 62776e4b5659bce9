"""S45: a worker without memory, and one without file descriptors."""

from __future__ import annotations

import errno
import os
import resource
import time
from pathlib import Path
from typing import Final

from tests.faults.oracle.client import in_flight
from tests.faults.scenario import scenario
from tests.faults.stage import Stage
from tests.faults.tools.telling import is_ready, until
from tests.faults.tools.workers import Worker

_BULK: Final = "x" * 8_000
_AT_ONCE: Final = 100
_MET_SECONDS: Final = 60.0
"""How long a worker may go on without what it was denied: it is sent work, and loses its connections, meanwhile."""
_STANDARD_FILES: Final = 3
"""A limit that leaves nothing for what is opened from now on; what is open stays."""
_NO_DESCRIPTOR: Final = os.strerror(errno.EMFILE)


@scenario("S45", "one worker is given no more memory, another no more file descriptors", recovers=15)
async def starved(stage: Stage) -> None:
    """They die, or say that they are not ready; the others take over; nothing that was asked is answered wrongly."""
    lean, deaf = await stage.workers.start(2)
    await stage.workers.start(1)
    await stage.workers.even()
    async with stage.load():
        await stage.pass_time(fast=1.0, usual=5.0, nightly=5.0)
        for _ in range(stage.size(fast=1, usual=3, nightly=10)):
            await _without_memory(stage, lean)
            await _without_descriptors(stage, deaf)


async def _without_memory(stage: Stage, lean: Worker) -> None:
    """What it was given before is all that it has; so it ends, and its supervisor starts it with what it needs."""
    lived, told = lean.restarts, len(lean.lines())
    _limit(lean, resource.RLIMIT_AS, _virtual(lean))

    async def ended() -> bool:
        await _send_bulk(stage)
        return lean.restarts > lived or not lean.runs

    await until(ended, f"{lean.name} ends without memory", _MET_SECONDS, lean.log)
    stage.injected("workers that ended without memory")
    await stage.recovers("a worker without memory", time.monotonic())
    said = any(MemoryError.__name__ in str(line) for line in lean.lines()[told:])
    stage.injected("of these, told by their own log", said)
    await lean.ready()


async def _without_descriptors(stage: Stage, deaf: Worker) -> None:
    """It must connect anew, and has no descriptor for that: it gives its share away, and says what it lacks."""
    told = len(deaf.lines())
    _limit(deaf, resource.RLIMIT_NOFILE, _STANDARD_FILES)
    lost = time.monotonic()
    await stage.broker.close_all_connections()
    await stage.recovers("a worker without a descriptor", lost)

    async def met() -> bool:
        return any(_NO_DESCRIPTOR in str(line) for line in deaf.lines()[told:]) and not await is_ready(deaf.url)

    await until(met, f"{deaf.name} says that it has no descriptor", _MET_SECONDS, deaf.log)
    stage.injected("workers that could not connect without a descriptor")
    stage.must(deaf.runs, f"{deaf.name} ended without a descriptor")
    await deaf.kill()
    await deaf.ready()


async def _send_bulk(stage: Stage) -> None:
    """Large commands at once, which want memory of whoever takes them."""
    users, number = await stage.users(), stage.random.getrandbits(32)

    async def send(n: int) -> None:
        await stage.client.send(
            "use",
            stage.random.choice(users),
            f"{stage.run}:bulk:{number}:{n}",
            amount=1,
            body_extra={"metadata": {"bulk": _BULK}},
            deadline=0.02,
        )

    await in_flight(_AT_ONCE, (lambda n=n: send(n) for n in range(stage.size(fast=300, usual=600, nightly=600))))


def _limit(worker: Worker, kind: int, value: int) -> None:
    resource.prlimit(worker.pid, kind, (value, value))


def _virtual(worker: Worker) -> int:
    pages = int(Path(f"/proc/{worker.pid}/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()
