"""Subscribers' queues: made, bound to the ledger's events for as long as a case lasts, and filled beforehand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from bench.bounds import management
from bench.errors import BenchError
from bench.frames import BrokerError, Client, Template, connect
from bench.frames.address import Address
from contracts.topology import EVENTS_EXCHANGE
from ops import urls

_UNCONFIRMED: Final = 4_000
_AT_ONCE: Final = 200
_LOOK_SECONDS: Final = 0.002
_TOLD_WITHIN_SECONDS: Final = 60.0
_ALL: Final = "#"


class SubscriberQueues:
    """The administrator's hand on subscribers' queues; all are durable quorum queues. Each raises ``LauncherError``."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._vhost = urls.vhost_of(env["MANA_AMQP_URL"])

    async def make(self, name: str, **arguments: Any) -> None:
        """An unbound queue with these arguments besides."""
        body = {"durable": True, "arguments": {"x-queue-type": "quorum", **arguments}}
        async with management(self._env) as broker:
            await broker.put("queues", self._vhost, name, body=body)

    async def drop(self, name: str) -> None:
        """It is no more."""
        async with management(self._env) as broker:
            await broker.delete("queues", self._vhost, name)

    @asynccontextmanager
    async def bound(self, *names: str) -> AsyncGenerator[None]:
        """These get all events until the end of the block."""
        async with management(self._env) as broker:
            for name in names:
                body = {"routing_key": _ALL, "arguments": {}}
                await broker.post("bindings", self._vhost, "e", EVENTS_EXCHANGE, "q", name, body=body)
            try:
                yield
            finally:
                for name in names:
                    await broker.delete("bindings", self._vhost, "e", EVENTS_EXCHANGE, "q", name, _ALL)

    async def depth(self, name: str, at_least: int) -> int:
        """How many messages the broker says that it holds, once they are as many. Raises ``BenchError`` after a while:
        what the management API tells is some seconds old.
        """
        end = time.monotonic() + _TOLD_WITHIN_SECONDS
        async with management(self._env) as broker:
            while (told := (await broker.get("queues", self._vhost, name)).get("messages", 0)) < at_least:
                if time.monotonic() > end:
                    raise BenchError(f"The queue {name} holds {told} messages, where {at_least} were sent to it.")
                await asyncio.sleep(1)
        return told

    async def fill(self, name: str, number: int) -> None:
        """Puts small messages into it by the default exchange, each confirmed. Raises ``BrokerError``."""
        await _Filling(self._env["MANA_AMQP_URL"], name).run(number)


class _Filling:
    def __init__(self, url: str, queue: str) -> None:
        self._url = url
        self._queue = queue.encode()
        self._template = Template("", "filling", Address.of(url).login)
        self._failure: Exception | None = None

    async def run(self, number: int) -> None:
        client = await connect(self._url, self)
        try:
            for each in range(number):
                client.publish(self._template, self._queue, b"", b'{"filling":true}')
                if each % _AT_ONCE == 0:
                    await self._confirmed(client, all_but=_UNCONFIRMED)
            await self._confirmed(client, all_but=0)
        finally:
            await client.close()

    async def _confirmed(self, client: Client, all_but: int) -> None:
        while client.unconfirmed > all_but:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._failure is not None:
                raise self._failure
        await asyncio.sleep(0)

    # The client's side (bench.frames.Receiver)

    def answered(self, correlation_id: bytes, body: bytes) -> None:
        """Nobody answers these."""
        self._failure = BenchError(f"A message that fills a queue was answered with {body[:300]!r}.")

    def refused(self, correlation_id: bytes) -> None:
        """A queue with a bound keeps what it has."""

    def unroutable(self, correlation_id: bytes) -> None:
        """It is gone."""
        self._failure = BrokerError("the queue that is filled is gone")

    def lost(self, error: BrokerError) -> None:
        """The connection is gone."""
        self._failure = error
