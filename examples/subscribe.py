"""Prints every event of the ledger, from a durable queue, until Ctrl-C: `python examples/subscribe.py [QUEUE]`.

The queue collects events from the first run on, also while nobody reads. Needs aio-pika and MANA_AMQP_URL.
"""

import asyncio
import json
import os
import sys
from contextlib import suppress
from typing import Any

import aio_pika


def handle(event: dict[str, Any]) -> None:
    """Does the work. The same event may come again: keep the ids that are done, and pass over those."""
    print(json.dumps(event), flush=True)


async def subscribe(url: str, queue_name: str) -> None:
    """Reads for ever; connects again where the connection is lost. An event that was not acknowledged comes again."""
    async with await aio_pika.connect_robust(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=100)
        queue = await channel.declare_queue(queue_name, durable=True, arguments={"x-queue-type": "quorum"})
        await queue.bind("credits.events", routing_key="credits.#")
        async with queue.iterator() as events:
            async for message in events:
                handle(json.loads(message.body))
                # Only now. Where the work writes to a database, write the event's id (which is the message_id) in the
                # same transaction: then a repeat is seen there, and nothing is done twice.
                await message.ack()


def main() -> int:
    """Reads the arguments; answers the exit status."""
    url, given = os.environ.get("MANA_AMQP_URL"), sys.argv[1:]
    if not url or len(given) > 1:
        print("usage: MANA_AMQP_URL=amqp://… python examples/subscribe.py [QUEUE]", file=sys.stderr)
        return 2
    with suppress(KeyboardInterrupt):
        asyncio.run(subscribe(url, given[0] if given else "chat-credits"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
