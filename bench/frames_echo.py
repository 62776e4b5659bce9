"""`python -m bench.frames_echo`: the echo of `bench.echo` through the worker's own `workers/broker`.

For each delivery: decode the JSON, reply, ack. No ledger, no database, no event. Settings are the worker's own
(AMQP_URL, MANA_PARTITIONS); says ``ready`` on standard output once it consumes; ends at SIGTERM.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import msgspec
import uvloop

from contracts.topology import PREFETCH, command_queue
from workers.broker.consumer import Consumer, Delivery, Reply
from workers.broker.link import Link


class Echo:
    """Answers one partition's deliveries, one by one."""

    def __init__(self) -> None:
        self._consumer: Consumer

    async def consume(self, link: Link, partition: int) -> Consumer:
        """Subscribes with the contract's prefetch. Raises ``BrokerLostError``."""
        self._consumer = await Consumer.open(link, self._answer)
        await self._consumer.subscribe(command_queue(partition), PREFETCH)
        return self._consumer

    def _answer(self, delivery: Delivery) -> None:
        """One command, one reply, one ack."""
        envelope = delivery.envelope
        command = msgspec.json.decode(delivery.body)
        if envelope.reply_to is not None:
            body = msgspec.json.encode({"ok": True, "replayed": False, "command": command})
            reply = Reply(envelope.reply_to, envelope.correlation_id or "", None, body)
            self._consumer.answer([self._consumer.frame(reply)])
        self._consumer.ack(delivery.tag)


async def main() -> int:
    """Echoes until told to stop; 1 where the broker went away."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    link = await Link.open(os.environ["AMQP_URL"], "echo")
    consumers = [await Echo().consume(link, number) for number in range(int(os.environ["MANA_PARTITIONS"]))]
    print("ready", flush=True)
    waits = [asyncio.create_task(event.wait()) for event in (stop, link.lost, *(each.lost for each in consumers))]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    for consumer in consumers:
        await consumer.close()
    await link.close()
    return 0 if stop.is_set() else 1


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
