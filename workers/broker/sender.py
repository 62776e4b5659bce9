"""Commands that we send ourselves, a few a minute, through FastStream's broker: confirmed, and never unroutable."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote, urlsplit

from aio_pika.exceptions import DeliveryError
from faststream.rabbit import ExchangeType, RabbitExchange

from contracts.replies import CONTENT_TYPE
from contracts.topology import COMMANDS_EXCHANGE
from workers.broker.calling import calling
from workers.broker.errors import NotAcceptedError
from workers.broker.lazy import LazyBroker

_CONFIRM_SECONDS: Final = 10.0
_COMMANDS: Final = RabbitExchange(COMMANDS_EXCHANGE, type=ExchangeType.X_CONSISTENT_HASH, durable=True, declare=False)


class CommandSender(LazyBroker):
    """Connects with its first command, so that the process comes up without the broker; then again by itself."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._login = unquote(urlsplit(url).username or "guest")

    async def send(self, command: str, user_id: str, body: bytes) -> None:
        """Returns once the command is queued and safe.

        Raises ``NotAcceptedError`` where its queue is full or missing, ``BrokerLostError`` where nobody knows.
        """
        async with calling(f"{command} was not confirmed", _CONFIRM_SECONDS):
            try:
                await self.start_now()
                await self.publish(
                    body,
                    exchange=_COMMANDS,
                    routing_key=user_id,
                    mandatory=True,
                    persist=True,
                    content_type=CONTENT_TYPE,
                    message_type=command,
                    user_id=self._login,
                )
            except DeliveryError as error:
                raise NotAcceptedError(f"{command} was not accepted: {error!r}") from error
