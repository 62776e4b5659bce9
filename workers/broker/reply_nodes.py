"""Which node can have made a direct reply-to token: asked of the broker itself, where forged ones would hurt us.

A message to no queue comes back to its sender, with the token in the place of the ``reply_to`` that was asked for
(docs/decisions/0002-reply-addresses.md).
"""

from __future__ import annotations

import asyncio
import re
from typing import Final
from uuid import uuid4

import structlog
from pamqp import commands as spec
from pamqp.header import ContentHeader

from contracts.addresses import reply_token
from contracts.topology import DIRECT_REPLY_TO
from workers.broker.calling import calling
from workers.broker.link import CLOSE_SECONDS, Link
from workers.broker.tap import Frame

_log = structlog.get_logger(__name__)

_HURT_BEFORE: Final = 4
"""From this major version on the broker ignores forged tokens by itself."""
_MAJOR: Final = re.compile(r"(\d+)\.")
_NARROW: Final = re.compile(r"Erlang/OTP (1\d|2[0-5])\b")
"""Where a process's number has the width that ``contracts.addresses`` knows; wider genuine ones must not be refused."""


async def reply_nodes(link: Link) -> frozenset[int] | None:
    """The hash of the one node there is; ``None`` where any token may be answered. Raises ``BrokerLostError``."""
    major = _MAJOR.match(link.server_version)
    if major is None or int(major[1]) >= _HURT_BEFORE or not _NARROW.match(link.server_platform):
        return None
    address = await _own_address(link)
    token = reply_token(address)
    if token is None:
        _log.warning("the broker's reply-to tokens have another shape: forged ones are not told", token=address)
        return None
    return frozenset({token.node})


async def _own_address(link: Link) -> str:
    """The address that the broker gives to a channel of ours."""
    shown: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def take(frame: Frame) -> bool:
        if isinstance(frame, ContentHeader) and not shown.done():
            shown.set_result(frame.properties.reply_to or "")
        return isinstance(frame, spec.Basic.Return | ContentHeader)

    channel = await link.channel(take)
    try:
        async with calling("the broker did not show its reply-to tokens"):
            await channel.basic_consume(DIRECT_REPLY_TO, _nothing, no_ack=True)
            asking = spec.Basic.Properties(reply_to=DIRECT_REPLY_TO)
            await channel.basic_publish(b"", routing_key=f"nowhere-{uuid4()}", properties=asking, mandatory=True)
            return await shown
    finally:
        async with calling("the channel of the reply-to tokens was not closed", CLOSE_SECONDS):
            await channel.close()


async def _nothing(_: object) -> None:
    """The library wants a callback; no reply is ever sent there."""
