"""`python -m bench.flood URL APP RUN RATE USER…`: one app that sends so many uses a second, whatever is answered.

With the rate 0 it sends as fast as the broker takes them. Where the broker ends its connection it comes back at once,
and goes on. It stops when its standard input ends, waits for the last answers, and says what became of all.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Final

import uvloop

from bench.errors import BenchError
from bench.frames import BrokerError, Client, connect
from bench.populations import uniform
from bench.uses import Uses, is_charged, no_queue, use_template, wrong_answer

FLOWING: Final = "flowing"
"""What it says once the first answer has come."""
_AT_ONCE: Final = 200
_UNSENT_BYTES: Final = 1 << 20
_PAUSE_SECONDS: Final = 0.0005
_AWAY_SECONDS: Final = 0.5
"""Before it comes back: less than any client should wait."""
_LAST_ANSWERS_SECONDS: Final = 120.0
_OVERLOADED: Final = b'"code":"overloaded"'


@dataclass(frozen=True)
class Counts:
    """Commands: sent; not taken by the broker; refused by the ledger as too many; carried out; of unknown fate, since
    their connection was gone. ``connections`` that were lost, or not to be had."""

    sent: int
    not_taken: int
    overloaded: int
    charged: int
    unknown: int
    connections: int


class Flood:
    """One connection at a time."""

    def __init__(self, url: str, uses: Uses, rate: float) -> None:
        self._url = url
        self._uses = uses
        self._rate = rate
        self._sent = 0
        self._fates = Counter[str]()
        self._unknown = 0
        self._away = 0
        self._lost = True
        self._failure: Exception | None = None
        self.ending = False

    async def run(self) -> Counts:
        """Raises what went wrong."""
        begun = time.perf_counter()
        while not self.ending:
            try:
                self._lost = False
                client = await connect(self._url, self)
            except BrokerError:
                self._away += 1
                await asyncio.sleep(_AWAY_SECONDS)
                continue
            try:
                await self._go_on(client, begun)
            finally:
                await client.close()
            self._unknown = self._sent - self._fates.total()
        fates = self._fates
        return Counts(
            sent=self._sent,
            not_taken=fates["not taken"],
            overloaded=fates["overloaded"],
            charged=fates["charged"],
            unknown=self._unknown,
            connections=self._away,
        )

    async def _go_on(self, client: Client, begun: float) -> None:
        template = use_template(self._url)
        while not (self.ending or self._lost):
            for _ in range(self._due(client, time.perf_counter() - begun)):
                self._sent += 1
                self._uses.publish(client, template, b"%d" % self._sent)
            await asyncio.sleep(_PAUSE_SECONDS)
            self._look()
        if self._lost:
            self._away += 1
            await asyncio.sleep(_AWAY_SECONDS)
            return
        async with asyncio.timeout(_LAST_ANSWERS_SECONDS):
            await self._settle(client)

    def _due(self, client: Client, passed: float) -> int:
        """How many may go out now; none while the broker has not taken what went before."""
        if client.unsent > _UNSENT_BYTES:
            return 0
        return max(int(passed * self._rate) - self._sent, 0) if self._rate else _AT_ONCE

    async def _settle(self, client: Client) -> None:
        while not self._lost and (self._fates.total() + self._unknown < self._sent or client.unconfirmed):
            await asyncio.sleep(_PAUSE_SECONDS)
            self._look()

    def _look(self) -> None:
        if self._failure is not None:
            raise self._failure

    # The client's side (bench.frames.Receiver)

    def answered(self, correlation_id: bytes, body: bytes) -> None:
        """Carried out, or refused as too many; anything else is an error."""
        if not self._fates:
            print(FLOWING, flush=True)
        if is_charged(body):
            self._fates["charged"] += 1
        elif _OVERLOADED in body:
            self._fates["overloaded"] += 1
        else:
            self._failure = wrong_answer(body)

    def refused(self, correlation_id: bytes) -> None:
        """The queue is full."""
        self._fates["not taken"] += 1

    def unroutable(self, correlation_id: bytes) -> None:
        """No queues."""
        self._failure = no_queue()

    def lost(self, error: BrokerError) -> None:
        """The connection is gone."""
        self._lost = True


async def _main(url: str, app: str, run: str, rate: str, *users: str) -> None:
    flood = Flood(url, Uses(uniform([user.encode() for user in users]), run, app), float(rate))

    def end() -> None:
        flood.ending = True
        asyncio.get_running_loop().remove_reader(sys.stdin)

    asyncio.get_running_loop().add_reader(sys.stdin, end)
    print(json.dumps(asdict(await flood.run())), flush=True)


if __name__ == "__main__":
    try:
        uvloop.run(_main(*sys.argv[1:]))
    except (BenchError, BrokerError, TimeoutError) as error:
        sys.exit(f"The flood broke off: {error!r}")
