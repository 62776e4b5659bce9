"""`python -m bench.echo`: a worker that only answers, on the ledger's topology and settings: the measure of the ledger.

On aio-pika as it comes, with uvloop, replies without `mandatory`, and an ack for each message. For each delivery:
decode the JSON, reply, ack. No ledger, no database, no event. Settings are the worker's own (AMQP_URL,
MANA_PARTITIONS); says ``ready`` on standard output once it consumes; ends at SIGTERM.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import aio_pika
import msgspec
import uvloop
from aio_pika.abc import AbstractIncomingMessage

from contracts.replies import CONTENT_TYPE, REPLY_TYPE
from contracts.topology import PREFETCH, command_queue


async def consume(connection: aio_pika.abc.AbstractConnection, partition: int) -> None:
    """Echoes one partition on a channel of its own; replies need no confirm, as the ledger's need none."""
    channel = await connection.channel(publisher_confirms=False)
    await channel.set_qos(prefetch_count=PREFETCH)
    queue = await channel.get_queue(command_queue(partition), ensure=False)

    async def take(message: AbstractIncomingMessage) -> None:
        command = msgspec.json.decode(message.body)
        if message.reply_to is not None:
            reply = aio_pika.Message(
                msgspec.json.encode({"ok": True, "replayed": False, "command": command}),
                content_type=CONTENT_TYPE,
                correlation_id=message.correlation_id,
                type=REPLY_TYPE,
            )
            await channel.default_exchange.publish(reply, message.reply_to, mandatory=False)
        await message.ack()

    await queue.consume(take)


async def main() -> int:
    """Echoes until told to stop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with await aio_pika.connect(os.environ["AMQP_URL"]) as connection:
        for partition in range(int(os.environ["MANA_PARTITIONS"])):
            await consume(connection, partition)
        print("ready", flush=True)
        await stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
