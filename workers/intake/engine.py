"""The loop of a worker: one transaction open, and the last batch's answers leaving while the next one is in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from workers.intake.batching import Ready
from workers.intake.settling import Settled, Settler


class Engine:
    """Takes what is ready, settles it, delivers it; again, until stopped."""

    def __init__(self, ready: Ready, settler: Settler, deliver: Callable[[Settled], None], batch_max: int) -> None:
        self._ready = ready
        self._settler = settler
        self._deliver = deliver
        self._batch_max = batch_max
        self._stopping = False

    def stop(self) -> None:
        """Takes nothing more; :meth:`run` returns when the running batch is answered."""
        self._stopping = True
        self._ready.wake()

    async def run(self) -> None:
        """Raises ``ConnectionLost`` and ``Broken``."""
        settled: Settled | None = None
        while not self._stopping or settled is not None:
            if settled is None:
                await self._ready.some()
            portions = [] if self._stopping else self._ready.take(self._batch_max)
            if not portions:
                self._out(settled)
                settled = None
                continue
            settling = asyncio.get_running_loop().create_task(self._settler.settle(portions))
            try:
                # The next batch's first statement leaves before the last one's answers are built.
                await asyncio.sleep(0)
                self._out(settled)
                settled = await settling
            finally:
                settling.cancel()

    def _out(self, settled: Settled | None) -> None:
        if settled is not None:
            self._deliver(settled)
