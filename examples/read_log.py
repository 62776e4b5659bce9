"""Prints the events that the stream has kept, and those to come: `python examples/read_log.py [OFFSET]`, until Ctrl-C.

OFFSET is a number, `first`, `last`, `next`, or an age such as `1h`. Needs aio-pika and MANA_AMQP_URL.
"""

import asyncio
import os
import sys
from contextlib import suppress

import aio_pika
from aio_pika.abc import AbstractIncomingMessage


async def read(url: str, offset: int | str) -> None:
    """Reads for ever, each event with its offset; the next run may begin at the last offset + 1."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=100)  # a stream is not read without a bound
        log = await channel.get_queue("credits.events.log", ensure=False)
        # No iterator here: it gives back what it has not handed out, which streams do not know, so the broker hangs up.
        events: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        await log.consume(events.put, arguments={"x-stream-offset": offset})
        while True:
            message = await events.get()
            print(message.headers["x-stream-offset"], message.body.decode(), flush=True)
            await message.ack()  # asks for more; the stream keeps the event


def main() -> int:
    """Reads the arguments; answers the exit status."""
    url, given = os.environ.get("MANA_AMQP_URL"), sys.argv[1:]
    if not url or len(given) > 1:
        print("usage: MANA_AMQP_URL=amqp://… python examples/read_log.py [OFFSET]", file=sys.stderr)
        return 2
    offset = given[0] if given else "first"
    with suppress(KeyboardInterrupt):
        asyncio.run(read(url, int(offset) if offset.isdecimal() else offset))
    return 0


if __name__ == "__main__":
    sys.exit(main())
