"""Spends a user's credits from Python: `python examples/spend.py USER_ID [AMOUNT [KEY [APP]]]`.

Needs aio-pika, and MANA_AMQP_URL: the address, with the login in it.
Prints the ledger's answer; exits with 1 where that is no.
"""

import asyncio
import json
import os
import sys
import uuid
from urllib.parse import unquote, urlsplit

import aio_pika


async def spend(url: str, user_id: str, amount: int, key: str, app: str) -> bytes:
    """The ledger's answer, as JSON. Raises TimeoutError without one: then call again with the same key."""
    command = {"userId": user_id, "amount": amount, "appId": app, "description": "GPT answer", "idempotencyKey": key}
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(on_return_raises=True)
        replies = await channel.get_queue("amq.rabbitmq.reply-to", ensure=False)
        async with replies.iterator(no_ack=True, timeout=10) as answers:
            message = aio_pika.Message(
                json.dumps(command).encode(),
                type="credits.use",
                content_type="application/json",
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                user_id=unquote(urlsplit(url).username or "guest"),
                correlation_id=key,
                reply_to="amq.rabbitmq.reply-to",
            )
            commands = await channel.get_exchange("credits.commands", ensure=False)
            await commands.publish(message, routing_key=user_id)
            return (await anext(answers)).body


def main() -> int:
    """Reads the arguments; answers the exit status."""
    url, given = os.environ.get("MANA_AMQP_URL"), sys.argv[1:]
    if not url or not 1 <= len(given) <= 4 or not all(amount.isdecimal() for amount in given[1:2]):
        print("usage: MANA_AMQP_URL=amqp://… python examples/spend.py USER_ID [AMOUNT [KEY [APP]]]", file=sys.stderr)
        return 2
    defaults = ["", "3", str(uuid.uuid4()), os.environ.get("APP_ID", "chat")]
    user_id, amount, key, app = [*given, *defaults[len(given) :]]
    answer = asyncio.run(spend(url, user_id, int(amount), key, app))
    print(answer.decode())
    return 0 if json.loads(answer)["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
