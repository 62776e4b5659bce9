"""`python -m tests.faults.oracle.subscriber FILE QUEUE`: an independent subscriber of the events, as a process.

For what has come it asks PostgreSQL at once, in a fresh snapshot, whether the row is visible; writes both down; and
only then acknowledges. It connects again by itself. Addresses: ORACLE_AMQP_URL and ORACLE_DATABASE_URL. Says ``ready``
on standard output once it consumes; ends at SIGTERM.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Final

import asyncpg
import msgspec

from bench.frames import BrokerError, consume
from tests.faults.oracle.events import Event, decode

_RETRY_SECONDS: Final = 0.2
_HEARTBEAT: Final = 5
_VISIBLE: Final = """
SELECT event.place
FROM unnest($1::text[]::uuid[], $2::bigint[], $3::text[]::uuid[]) WITH ORDINALITY
    AS event (account, sequence, id, place)
JOIN credits.transactions AS found
    ON found.account_id = event.account AND found.sequence = event.sequence AND found.id = event.id
"""


class Witness:
    """Looks rows up, over a connection that is made again when it is lost."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: asyncpg.Connection | None = None

    async def see(self, events: list[Event]) -> list[Event]:
        """The events, each with whether its row is visible now. Waits while the database is away."""
        asked = [event for event in events if event.sequence is not None]
        columns = ([e.subject for e in asked], [e.sequence for e in asked], [e.transaction_id for e in asked])
        visible = {asked[place - 1].id for place in (await self._ask(*columns) if asked else [])}
        return [event if event.sequence is None else _seen(event, event.id in visible) for event in events]

    async def _ask(self, *columns: list[str] | list[int | None] | list[str | None]) -> list[int]:
        while True:
            try:
                return [row["place"] for row in await (await self._connected()).fetch(_VISIBLE, *columns)]
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
                print(f"the database is away: {error!r}", file=sys.stderr, flush=True)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _connected(self) -> asyncpg.Connection:
        connection = self._connection
        if connection is None or connection.is_closed():
            connection = self._connection = await asyncpg.connect(self._url)
        return connection


def _seen(event: Event, visible: bool) -> Event:
    return msgspec.structs.replace(event, visible=visible)


class Collector:
    """Consumes the queue, and writes down what it saw."""

    def __init__(self, amqp_url: str, queue: str, witness: Witness, path: Path) -> None:
        self._url = amqp_url
        self._queue = queue
        self._witness = witness
        self._path = path
        self._received: list[tuple[int, bytes]] = []
        self._something = asyncio.Event()
        self._lost: BrokerError | None = None

    async def run(self) -> None:
        """For ever."""
        with self._path.open("ab") as sink:
            while True:
                try:
                    await self._consume(sink.fileno())
                except BrokerError as error:
                    print(f"the broker is away: {error}", file=sys.stderr, flush=True)
                    await asyncio.sleep(_RETRY_SECONDS)

    async def _consume(self, sink: int) -> None:
        self._received, self._lost = [], None
        consumer = await consume(
            self._url, self._queue, take=self._take, lost=self._on_lost, prefetch=2_000, heartbeat=_HEARTBEAT
        )
        print("ready", flush=True)
        while True:
            await self._something.wait()
            self._something.clear()
            if self._lost is not None:
                raise self._lost
            received, self._received = self._received, []
            if received:
                seen = await self._witness.see([decode(body) for _, body in received])
                os.write(sink, b"".join(msgspec.json.encode(event) + b"\n" for event in seen))
                consumer.ack_up_to(received[-1][0])

    def _take(self, tag: int, body: bytes) -> None:
        self._received.append((tag, body))
        self._something.set()

    def _on_lost(self, error: BrokerError) -> None:
        self._lost = error
        self._something.set()


async def main(path: Path, queue: str) -> None:
    """Collects until told to stop."""
    witness = Witness(os.environ["ORACLE_DATABASE_URL"])
    collecting = asyncio.create_task(Collector(os.environ["ORACLE_AMQP_URL"], queue, witness, path).run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, collecting.cancel)
    try:
        await collecting
    except asyncio.CancelledError:
        return


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
