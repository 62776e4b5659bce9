"""Letters that were read from a file are put into their queues, as a worker puts its copies there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import islice
from typing import Final

import aiormq
from aiormq.abc import AbstractChannel
from aiormq.exceptions import AMQPError, ChannelInvalidStateError
from msgspec import Struct
from pamqp.commands import Basic
from yarl import URL

from api.broker.dialling import AnyNode
from api.broker.link import CONNECT_SECONDS_MAX, HEARTBEAT_SECONDS, Lost, login_of, translated
from contracts.replies import CONTENT_TYPE

_AT_ONCE: Final = 32


class Letter(Struct, frozen=True):
    """A copy as it is to lie in ``queue``. ``proven``: it says truly who sent what it is of."""

    queue: str
    type: str | None
    correlation_id: str | None
    proven: bool
    headers: dict[str, str]
    body: bytes


async def put(url: str, letters: Iterable[Letter]) -> int:
    """How many there were, once all are confirmed; in their order. The login of the address is who proves it.

    Raises ``Lost``, ``Rejected``: nobody knows then how many are there.
    """
    address = URL(url).update_query(heartbeat=str(HEARTBEAT_SECONDS), name="mana-dead")
    connection = aiormq.Connection(address, transport_factory=AnyNode())
    try:
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            await connection.connect()
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
    except (AMQPError, ChannelInvalidStateError, OSError, RuntimeError, TimeoutError) as error:
        await connection.close()
        raise Lost(f"{type(error).__name__}: {error}") from error
    try:
        number, left = 0, iter(letters)
        while some := list(islice(left, _AT_ONCE)):
            await asyncio.gather(*(_put(channel, login_of(url), letter) for letter in some))
            number += len(some)
        return number
    finally:
        await connection.close()


async def _put(channel: AbstractChannel, login: str, letter: Letter) -> None:
    properties = Basic.Properties(
        content_type=CONTENT_TYPE,
        delivery_mode=2,
        correlation_id=letter.correlation_id,
        message_type=letter.type,
        user_id=login if letter.proven else None,
        headers={**letter.headers},
    )
    with translated():
        await channel.basic_publish(
            letter.body, exchange="", routing_key=letter.queue, properties=properties, mandatory=True
        )
