"""Keeps a channel open for each partition that is ours, as long as it is, whatever happens to channel or connection."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Final

import structlog

from workers.broker.declaring import declare
from workers.broker.errors import BrokerError
from workers.crash import crash
from workers.intake.commandlink import CommandLink
from workers.intake.inlet import Desk, Inlet
from workers.meters import Meters

_log = structlog.get_logger(__name__)

_PAUSE_SECONDS: Final = (0.1, 5.0)


class Inlets:
    """One keeper for each wanted partition. ``live`` are those that are subscribed now."""

    def __init__(self, link: CommandLink, desk: Desk, meters: Meters) -> None:
        self.live: dict[int, Inlet] = {}
        self._link = link
        self._desk = desk
        self._meters = meters
        self._opened: dict[int, Inlet] = {}
        """Those of ``live``, and those that are about to be."""
        self._keepers: dict[int, asyncio.Task[None]] = {}
        self._starved = asyncio.Event()

    async def run(self) -> None:
        """Lasts as long as the keepers can. Raises ``MemoryError`` where one could not, and its partition is deaf."""
        await self._starved.wait()
        raise MemoryError("a partition is not consumed any more")

    def open(self, partition: int) -> None:
        """Subscribes, now and after each loss, until the partition is closed or dropped."""
        self._keepers[partition] = asyncio.get_running_loop().create_task(self._keep(partition))

    def drop(self, partition: int) -> asyncio.Task[None] | None:
        """Closes the channel without waiting for anything; answers the task that does."""
        inlet = self._opened.get(partition)
        if inlet is not None:
            inlet.stop()
        keeper = self._keepers.pop(partition, None)
        if keeper is not None:
            keeper.cancel()
        return keeper

    async def close(self, partition: int, within: float) -> None:
        """Finishes what was taken, at most for ``within`` seconds, then closes the channel."""
        inlet = self._opened.get(partition)
        if inlet is not None:
            inlet.stop()
            try:
                async with asyncio.timeout(within):
                    await inlet.drained()
            except TimeoutError:
                _log.warning("not finished in time: it will be redelivered", partition=partition)
            crash("handback_before_close")
        keeper = self.drop(partition)
        if keeper is not None:
            await asyncio.wait({keeper})

    async def drop_all(self) -> None:
        """Closes all channels at once."""
        keepers = {keeper for partition in list(self._keepers) if (keeper := self.drop(partition)) is not None}
        if keepers:
            await asyncio.wait(keepers)

    async def _keep(self, partition: int) -> None:
        pause, declared = _PAUSE_SECONDS[0], True
        while True:
            try:
                link = await self._link.up()
                if not declared:
                    await declare(link, [partition])
                await self._live(await Inlet.open(link, partition, self._desk))
                pause, declared = _PAUSE_SECONDS[0], False
            except BrokerError as error:
                _log.warning("not consuming", partition=partition, reason=str(error))
                pause, declared = min(2 * pause, _PAUSE_SECONDS[1]), False
            except MemoryError:
                self._starved.set()
                raise
            except Exception:  # a defect of ours: a partition without a keeper would be deaf for ever
                _log.exception("not consuming: not foreseen", partition=partition)
                pause, declared = _PAUSE_SECONDS[1], False
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  spreads the partitions' attempts

    async def _live(self, inlet: Inlet) -> None:
        """Until the inlet is lost. It can be stopped as soon as deliveries may come, and is closed whatever happens."""
        self._opened[inlet.partition] = inlet
        try:
            await inlet.subscribe()
            self.live[inlet.partition] = inlet
            self._meters.consuming.set(len(self.live))
            await inlet.lost.wait()
            _log.warning("consumer lost", partition=inlet.partition, reason=inlet.reason)
        finally:
            del self._opened[inlet.partition]
            self.live.pop(inlet.partition, None)
            self._meters.consuming.set(len(self.live))
            await _whole(inlet.close())


async def _whole(work: Coroutine[None, None, None]) -> None:
    """Comes to the end of ``work`` also where we are cancelled meanwhile: who waits for us counts on it."""
    working = asyncio.get_running_loop().create_task(work)
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait({working})
        raise
