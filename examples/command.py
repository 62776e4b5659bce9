"""Sends a command as an administrator: `python examples/command.py TYPE BODY`.

Needs aio-pika, and MANA_AMQP_URL: the address, with the login `mana-admin` in it.
Prints the ledger's answer; exits with 1 where that is no.
"""

import asyncio
import json
import os
import sys
from urllib.parse import unquote, urlsplit

import aio_pika


async def send(url: str, kind: str, body: str) -> bytes:
    """The ledger's answer, as JSON. Raises TimeoutError without one: then call again with the same idempotencyKey."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(on_return_raises=True)
        replies = await channel.get_queue("amq.rabbitmq.reply-to", ensure=False)
        async with replies.iterator(no_ack=True, timeout=10) as answers:
            message = aio_pika.Message(
                body.encode(),
                type=kind,
                content_type="application/json",
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                user_id=unquote(urlsplit(url).username or "guest"),
                reply_to="amq.rabbitmq.reply-to",
            )
            commands = await channel.get_exchange("credits.commands", ensure=False)
            await commands.publish(message, routing_key=json.loads(body)["userId"])
            return (await anext(answers)).body


def main() -> int:
    """Reads the arguments; answers the exit status."""
    url, given = os.environ.get("MANA_AMQP_URL"), sys.argv[1:]
    if not url or len(given) != 2:
        print("usage: MANA_AMQP_URL=amqp://… python examples/command.py TYPE BODY", file=sys.stderr)
        return 2
    answer = asyncio.run(send(url, *given))
    print(answer.decode())
    return 0 if json.loads(answer)["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
