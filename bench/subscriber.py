"""`python -m bench.subscriber QUEUE`: a subscriber of events that keeps up, and says what it got.

Reads from AMQP_URL until standard input ends, once a line with a number came: so many usages it waits for. Says
``ready`` once it consumes, and a line of JSON at the end (`Verdict`).
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Final

import aio_pika
import msgspec
import uvloop
from aio_pika.abc import AbstractIncomingMessage

_PREFETCH: Final = 1000
_ACK_EVERY: Final = 100
_SILENCE_SECONDS: Final = 30.0


class Verdict(msgspec.Struct):
    """Events by user: usages without repeats, events that came again, and those that did not follow the last one."""

    usages: int = 0
    repeats: int = 0
    out_of_order: int = 0


class _Event(msgspec.Struct):
    type: str
    subject: str
    sequence: int


class Subscriber:
    """Follows each user's sequence from the first event that it sees."""

    def __init__(self) -> None:
        self.verdict = Verdict()
        self.heard = asyncio.Event()
        self._last: dict[str, int] = {}
        self._decoder = msgspec.json.Decoder(_Event)
        self._unacked = 0

    async def take(self, message: AbstractIncomingMessage) -> None:
        """One event."""
        self.note(message.body)
        self._unacked += 1
        if self._unacked == _ACK_EVERY:
            self._unacked = 0
            await message.ack(multiple=True)

    def note(self, body: bytes) -> None:
        """Counts it."""
        event = self._decoder.decode(body)
        last = self._last.get(event.subject)
        self.heard.set()
        if last is not None and event.sequence <= last:
            self.verdict.repeats += 1
            return
        self.verdict.out_of_order += last is not None and event.sequence != last + 1
        self.verdict.usages += event.type == "credits.used"
        self._last[event.subject] = event.sequence

    async def until(self, usages: int) -> None:
        """Returns once so many were there, or nothing came for long."""
        while self.verdict.usages < usages:
            self.heard.clear()
            try:
                await asyncio.wait_for(self.heard.wait(), _SILENCE_SECONDS)
            except TimeoutError:
                return


async def main(queue_name: str) -> int:
    """Reads, waits for what it is told to, says what it got."""
    subscriber = Subscriber()
    async with await aio_pika.connect(os.environ["AMQP_URL"]) as connection:
        channel = await connection.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=_PREFETCH)
        queue = await channel.get_queue(queue_name, ensure=False)
        await queue.consume(subscriber.take)
        print("ready", flush=True)
        await subscriber.until(int(await asyncio.to_thread(sys.stdin.readline)))
    print(msgspec.json.encode(subscriber.verdict).decode(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main(sys.argv[1])))
