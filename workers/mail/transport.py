"""The face of what carries mails away, and how that fails. No failure's text holds an address or a mail's words."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Protocol


class TransportError(Exception):
    """The mail was not taken, as far as we know."""


class TemporaryFailureError(TransportError):
    """It may be taken later: the server is away, busy, or not set up as it should be."""


class PermanentFailureError(TransportError):
    """It will never be taken: its recipient or its content was refused for good."""


class Transport(Protocol):
    """Carries mails away."""

    async def send(self, message: EmailMessage) -> None:
        """Returns once somebody else is responsible for the mail. Raises ``TransportError``; takes a minute at most."""
        ...
