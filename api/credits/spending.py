"""A command over REST: sent to the ledger, and answered with what the ledger says, or with where to look."""

from __future__ import annotations

import asyncio
import re
from typing import Final
from urllib.parse import quote
from uuid import UUID

import msgspec
from msgspec import Raw
from starlette.responses import Response

from api.broker.commands import Broker, NoAnswer, NotAccepted, OutgoingCommand
from api.credits.tries import Tries
from api.credits.views import Pending
from api.errors import Refusal
from api.outbox.delivery import Delivery
from api.paths import BASE
from contracts.errors import Error

WAIT_SECONDS: Final = 5.0
WAIT_SECONDS_MAX: Final = 30.0
OPERATIONS: Final = f"{BASE}/credits/operations/"
_JSON: Final = "application/json"
_WAIT: Final = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(?:$|[,;])", re.IGNORECASE)
_MEMBERS: Final = msgspec.json.Decoder(dict[str, Raw])
_ERROR: Final = msgspec.json.Decoder(Error)


class Spending:
    """Sends commands and answers for them."""

    def __init__(self, broker: Broker, delivery: Delivery, tries: Tries) -> None:
        self._broker = broker
        self._delivery = delivery
        self._tries = tries

    async def send(
        self, command: OutgoingCommand, key: str, wait_seconds: float, acts_in: UUID | str | None
    ) -> Response:
        """200 with the reply, or 202 with a place to look; the command goes out behind what still waits for its user.

        ``acts_in``: the session or key in which the user asks, ``None`` where an app does. Raises ``Refusal``, and
        ``Unavailable``.
        """
        user_id = UUID(command.user_id)
        await self._delivery.ensure_delivered(user_id, acts_in)
        # Beside the sending, so that it costs no time: a reply takes longer than a note.
        noting = asyncio.create_task(self._tries.note(user_id, key, command.message_id))
        try:
            return _answer(await self._broker.ask(command, wait_seconds))
        except NoAnswer:
            if await noting is None:
                await self._tries.note(user_id, key, command.message_id)
            return _pending(command, key)
        except NotAccepted:
            if noted := await noting:
                await self._tries.take_back(user_id, key, command.message_id, noted)
            raise
        finally:
            await noting


def wait_seconds(prefer: str) -> float:
    """How long the client wants to wait (``Prefer: wait=10``, RFC 7240); what cannot be read is ignored, as it says."""
    match = _WAIT.search(prefer)
    return WAIT_SECONDS if match is None else min(float(match[1]), WAIT_SECONDS_MAX)


def _answer(reply: bytes) -> Response:
    """The reply less ``ok``, its parts as the ledger wrote them."""
    members = _MEMBERS.decode(reply)
    if bytes(members.pop("ok")) != b"true":
        raise Refusal(_ERROR.decode(bytes(members["error"])))
    return Response(msgspec.json.encode(members), 200, media_type=_JSON, headers={"cache-control": "no-store"})


def _pending(command: OutgoingCommand, key: str) -> Response:
    """A service names the user again where it looks."""
    whose = "" if command.on_behalf is None else f"?userId={command.user_id}"
    location = OPERATIONS + quote(key, safe="") + whose
    headers = {"location": location, "cache-control": "no-store"}
    return Response(msgspec.json.encode(Pending(key, location)), 202, headers, _JSON)
