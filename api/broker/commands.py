"""The face of the broker's room: what is sent, and what may become of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import uuid_utils

from api.errors import Unavailable
from contracts import trace_context
from contracts.replies import CONTENT_TYPE


@dataclass(frozen=True)
class OutgoingCommand:
    """A command: ``type`` its name, ``user_id`` whose it is (and so its routing key), ``body`` its JSON.

    ``on_behalf`` is the app that asks, where it is not the user. ``message_id`` tells this try from every other: sent
    again with it, the command is a repeat of the same message. ``traceparent`` is that of what is being done.
    ``sent_at``, in milliseconds since 1970, is told where somebody wants to know how long it waits.
    """

    type: str
    user_id: str
    body: bytes
    on_behalf: str | None = None
    message_id: str = field(default_factory=lambda: str(uuid_utils.uuid7()))
    traceparent: str | None = field(default_factory=trace_context.current.get)
    sent_at: int | None = None


@dataclass(frozen=True)
class Notice:
    """JSON that is told and wants no answer: ``name`` among what is counted, ``exchange`` where it goes, ``type`` the
    property of that name."""

    name: str
    exchange: str
    body: bytes
    message_id: str | None = None
    routing_key: str = ""
    content_type: str = CONTENT_TYPE
    type: str | None = None


class NotAccepted(Unavailable):
    """The broker has not taken the message, for certain: nothing will come of it."""

    def __init__(self, message: str) -> None:
        super().__init__("rabbitmq", message)


class Full(NotAccepted):
    """A queue that the message goes to did not take it, or there is none: others may have it."""

    def __init__(self) -> None:
        super().__init__("the queue is full")


class NoAnswer(Exception):  # noqa: N818 - an outcome, not a fault
    """Neither a refusal nor a reply came in time: the command may have been done, or may be done later."""


Put: TypeAlias = Callable[[Notice], Awaitable[None]]
"""Returns once the notice is queued. Raises ``NotAccepted`` or ``NoAnswer``."""


class Broker(Protocol):
    """Where commands go: the running connection, or a scripted one in tests of what stands above it."""

    async def ask(self, command: OutgoingCommand, wait_seconds: float) -> bytes:
        """Sends a command and returns its reply's body. Raises ``NotAccepted`` or ``NoAnswer``."""
        ...

    async def check(self) -> None:
        """Returns while commands can be sent. Raises ``NotAccepted`` saying why none can."""
        ...

    async def send(self, command: OutgoingCommand) -> None:
        """Sends a command that wants no reply; returns once the broker has it. Raises as ``ask`` does."""
        ...
