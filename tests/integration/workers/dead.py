"""Letters in the queues of the dead, made by tests, and ``./mana dead`` as they say it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import aio_pika
from aio_pika.abc import AbstractChannel

from contracts import dead_letters
from contracts.topology import DEAD_QUEUE
from ops.instance import Instance
from ops.programs import ProcessSettings
from tests.e2e.client import Client
from tests.integration.api.operators import Said
from tests.integration.workers.running import PARTITIONS, until

Mana = Callable[..., Awaitable[Said]]


def settings_of(servers: Instance) -> dict[str, str]:
    return ProcessSettings(servers.addresses, PARTITIONS).dead_letters()


def use(user: str, key: str = "k", **fields: Any) -> dict[str, Any]:
    return {"userId": user, "amount": 3, "appId": "chat", "description": "a use", "idempotencyKey": key, **fields}


async def number_of_letters(client: Client) -> int:
    """How many lie there and are nobody's now."""
    declared = await client.channel.declare_queue(DEAD_QUEUE, passive=True)
    return declared.declaration_result.message_count or 0


async def there_are(client: Client, number: int) -> None:
    async def look() -> bool:
        return await number_of_letters(client) == number

    await until(look, f"{number} letters")


async def keep(url: str, *bodies: dict[str, Any], **told: Any) -> None:
    """Copies such as a worker's, made with the login of that address."""
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        for body in bodies:
            await _publish(channel, unquote(urlsplit(url).username or ""), body, told)


async def _publish(channel: AbstractChannel, login: str, body: dict[str, Any], told: dict[str, Any]) -> None:
    headers = {dead_letters.REASON: "internal: by a test", dead_letters.ROUTING_KEY: body["userId"], **told}
    message = aio_pika.Message(
        json.dumps(body).encode(), type="credits.use", user_id=login, headers={**headers}, delivery_mode=2
    )
    await channel.default_exchange.publish(message, DEAD_QUEUE)


def ids(said: Said) -> list[str]:
    return [line.split()[0] for line in said.output.splitlines()[1:]]
