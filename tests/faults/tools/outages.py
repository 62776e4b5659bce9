"""PostgreSQL away for a while: not there at all, or there and silent."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from ops import state
from ops.instance import Instance
from tests.faults.tools.errors import ToolError
from tests.faults.tools.postgres import Database
from tests.faults.tools.processes import children, state_of
from tests.faults.tools.telling import until

_BACK_SECONDS: Final = 90.0
"""The supervisor's longest pause between two starts is 30 s."""
_STOP_SECONDS: Final = 20.0
_HALTED: Final = ("T", "Z")
"""States of processes that do nothing: paused, and ended with a parent that is paused."""


@asynccontextmanager
async def away(instance: Instance, database: Database) -> AsyncGenerator[None]:
    """Killed, and not to be started: its supervisor tries in vain until the block ends. Then it is up again."""
    cluster = _cluster(instance)
    hidden = cluster.with_name("hidden")
    cluster.rename(hidden)  # the one that runs is in it already, and does not mind
    try:
        await database.kill()
        yield
    finally:
        hidden.rename(cluster)
    await database.wait_up(_BACK_SECONDS)


@asynccontextmanager
async def silent(database: Database) -> AsyncGenerator[None]:
    """All its processes are paused until the block ends: who asks or connects gets no word, and no refusal."""
    postmaster = database.server.process.pid
    os.kill(postmaster, signal.SIGSTOP)
    paused = [postmaster, *children(postmaster)]
    try:
        for pid in paused[1:]:
            os.kill(pid, signal.SIGSTOP)

        async def all_paused() -> bool:
            return all(state_of(pid) in _HALTED for pid in paused)

        await until(all_paused, "PostgreSQL's processes are paused", _STOP_SECONDS)
        yield
    finally:
        for pid in reversed(paused):
            os.kill(pid, signal.SIGCONT)
    await database.wait_up()


def _cluster(instance: Instance) -> Path:
    remembered = state.load(instance.place.state)
    if remembered is None:
        raise ToolError(f"{instance.place.state} is missing")
    return Path(remembered.data) / "postgres" / "cluster"
