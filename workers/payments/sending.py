"""Commands as messages to the ledger: confirmed by the broker, each event's in their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import uuid4

import msgspec

from contracts.replies import CONTENT_TYPE
from contracts.topology import COMMANDS_EXCHANGE
from workers.broker.address import Address
from workers.broker.frames import PERSISTENT, properties
from workers.broker.publisher import Publication, Verdict
from workers.broker.publishing import Publishing
from workers.payments.meters import PaymentsMeters
from workers.payments.model import Commands, PaymentCommand

_CONFIRM_SECONDS: Final = 10.0


class Sending:
    """On a connection of its own, under the login that the broker proves to the ledger."""

    def __init__(self, url: str, name: str, meters: PaymentsMeters) -> None:
        self._login = Address.of(url).login
        self._meters = meters
        self._publishing = Publishing(url, name)

    @property
    def problem(self) -> str | None:
        """Why nothing can be sent now."""
        if not self._publishing.connected:
            return "not connected"
        return "blocked: out of memory or disk" if self._publishing.blocked else None

    async def run(self) -> None:
        """Keeps the connection, until cancelled."""
        await self._publishing.run()

    async def publish(self, messages: Sequence[Publication]) -> list[bool]:
        """Publishes each once; answers which of them are queued and safe."""
        verdicts = await self._publishing.once(messages, _CONFIRM_SECONDS)
        return [verdict is Verdict.CONFIRMED for verdict in verdicts]

    async def send(self, told: Sequence[Commands]) -> list[bool]:
        """Sends all; answers for each event whether all its commands are queued and safe."""
        every = [command for commands in told for command in commands.commands]
        verdicts = await self._publishing.once([self._message(command) for command in every], _CONFIRM_SECONDS)
        for command, verdict in zip(every, verdicts, strict=True):
            self._meters.commands.labels(command.type, verdict.value).inc()
        left = iter(verdicts)
        of_events = [[next(left) for _ in commands.commands] for commands in told]
        return [all(verdict is Verdict.CONFIRMED for verdict in of_event) for of_event in of_events]

    def _message(self, command: PaymentCommand) -> Publication:
        """Its id is new with each sending: what was refused once is a new try, not the same message again."""
        message_id = str(uuid4())
        header = properties(
            content_type=CONTENT_TYPE,
            delivery_mode=PERSISTENT,
            message_id=message_id,
            type_=command.type,
            user_id=self._login,
        )
        return Publication(COMMANDS_EXCHANGE, command.user_id, message_id, header, msgspec.json.encode(command))
