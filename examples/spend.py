"""Spends a user's credits from Python: `python examples/spend.py USER_ID [AMOUNT] [KEY]`, with aio-pika installed."""

import asyncio
import json
import os
import sys
import uuid
from urllib.parse import unquote, urlsplit

import aio_pika


async def spend(url: str, user_id: str, amount: int, key: str) -> bytes:
    """The ledger's answer, as JSON. Raises TimeoutError without one: then call again with the same key."""
    command = {"userId": user_id, "amount": amount, "appId": "chat", "description": "GPT answer", "idempotencyKey": key}
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


if __name__ == "__main__":
    given = dict(enumerate(sys.argv))
    answer = spend(os.environ["MANA_AMQP_URL"], given[1], int(given.get(2, "3")), given.get(3, str(uuid.uuid4())))
    print(asyncio.run(answer).decode())
