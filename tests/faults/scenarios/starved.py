"""S45: a worker without memory, and one without file descriptors."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Final

from tests.faults.scenario import scenario
from tests.faults.stage import Stage
from tests.faults.tools.workers import Worker

_KIB: Final = 1024
_HEADROOM: Final = 4 * _KIB * _KIB
"""Bytes that a worker may still take."""
_BULK: Final = "x" * 8_000
_PASSES: Final = 4_000


@scenario("S45", "one worker is given no more memory, another no more file descriptors", recovers=15)
async def starved(stage: Stage) -> None:
    """They die or go on; the others take over; nothing that was asked is answered wrongly."""
    lean, deaf = await stage.workers.start(2)
    await stage.workers.start(1)
    async with stage.load():
        await stage.pass_time(fast=1.0, usual=5.0, nightly=5.0)
        _limit(lean, resource.RLIMIT_AS, _virtual(lean) + _HEADROOM)
        stage.injected("workers without memory")
        _limit(deaf, resource.RLIMIT_NOFILE, _open_files(deaf))
        stage.injected("workers without descriptors")
        await _send_bulk(stage)
        # A worker that must connect anew has no descriptor for it.
        await stage.broker.close_all_connections()
        await stage.pass_time(fast=5.0, usual=30.0, nightly=120.0)
        stage.figure("times that a worker was started again", stage.workers.restarts)
        for worker in (lean, deaf):
            await worker.kill()
        await stage.recovers("limits gone", time.monotonic())


async def _send_bulk(stage: Stage) -> None:
    users = await stage.users()
    for number in range(stage.size(fast=500, usual=_PASSES, nightly=_PASSES)):
        await stage.client.send(
            "use",
            users[number % len(users)],
            f"{stage.run}:bulk:{number}",
            amount=1,
            body_extra={"metadata": {"bulk": _BULK}},
            deadline=0.02,
        )


def _limit(worker: Worker, kind: int, value: int) -> None:
    resource.prlimit(worker.pid, kind, (value, value))


def _virtual(worker: Worker) -> int:
    pages = int(Path(f"/proc/{worker.pid}/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


def _open_files(worker: Worker) -> int:
    return len(list(Path(f"/proc/{worker.pid}/fd").iterdir()))
