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

from contracts.addresses import reply_token
from contracts.topology import DIRECT_REPLY_TO
from workers.broker import lenient, methods
from workers.broker.calls import CALL_SECONDS
from workers.broker.channel import Listener
from workers.broker.errors import BrokerLostError
from workers.broker.frames import properties
from workers.broker.link import Link

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

    def take(_carrier: bytes, header: bytes, _body: bytes) -> None:
        if not shown.done():
            shown.set_result(lenient.read_properties(header)[0][lenient.REPLY_TO] or "")

    def lost(reason: str) -> None:
        if not shown.done():
            shown.set_exception(BrokerLostError(reason))

    channel = await link.channel(Listener(content=take, lost=lost))
    try:
        await channel.call(methods.consume(DIRECT_REPLY_TO, no_ack=True), methods.BASIC_CONSUME_OK)
        asking = properties(reply_to=DIRECT_REPLY_TO)
        channel.write(channel.framer.publish("", f"nowhere-{uuid4()}", asking, b"", mandatory=True))
        async with asyncio.timeout(CALL_SECONDS):
            return await shown
    except TimeoutError as error:
        raise BrokerLostError("the broker did not show its reply-to tokens") from error
    finally:
        if not shown.cancel():
            shown.exception()  # a loss while we ask is told by the asking
        await channel.close()
