"""Commands to the ledger by request-reply, over a connection that is made again whenever it is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec
import structlog

from api.broker.commands import Full, NoAnswer, NotAccepted, Notice, OutgoingCommand
from api.broker.link import Link, Lost, Rejected
from api.broker.telling import tell
from api.metrics import BrokerMetrics
from contracts.errors import ErrorCode
from contracts.replies import decode_reply

CONFIRM_SECONDS_MAX: Final = 5.0
PENDING_MAX: Final = 4_096
_CONFIRM_SECONDS_MIN: Final = 1.0
_PROBE_SECONDS: Final = 1.0
"""While the broker confirms nothing, one command in this time still goes out, to learn when it does again."""
_OF_ITS_SENDER: Final[frozenset[ErrorCode]] = frozenset({"forbidden", "app_mismatch"})
_PAUSES: Final = (0.1, 0.25, 0.5, 1.0, 2.0)

_log = structlog.get_logger(__name__)


@dataclass
class _Request:
    """A command whose reply is awaited; ``again``: its connection was lost meanwhile, so that it was sent twice."""

    command: OutgoingCommand
    reply: asyncio.Future[bytes] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    again: bool = False


class BrokerClient:
    """Run ``keep_connected`` as a task for as long as the process lives."""

    def __init__(self, url: str, metrics: BrokerMetrics) -> None:
        self._url = url
        self._metrics = metrics
        self._link: Link | None = None
        self._pending: dict[str, _Request] = {}
        self._unheard_since: float | None = None
        self._resending: set[asyncio.Task[None]] = set()

    @property
    def problem(self) -> str | None:
        """Why no command can be sent now; ``None`` where one can."""
        if self._link is None:
            return "the broker cannot be reached"
        return None if self._unheard_since is None else "the broker confirms nothing"

    async def check(self) -> None:
        """Returns while commands can be sent. Raises ``NotAccepted`` saying why none can."""
        if self.problem is not None:
            raise NotAccepted(self.problem)

    async def ask(self, command: OutgoingCommand, wait_seconds: float) -> bytes:
        """The reply's body. Raises ``NotAccepted``, and ``NoAnswer`` where none came within ``wait_seconds``."""
        clock = asyncio.get_running_loop().time
        began = clock()
        deadline = began + wait_seconds
        request = self._remember(command)
        try:
            confirm_seconds = max(_CONFIRM_SECONDS_MIN, min(wait_seconds, CONFIRM_SECONDS_MAX))
            await self._publish(command, confirm_seconds, reply=True)
            async with asyncio.timeout_at(deadline):
                reply = await request.reply
        except (TimeoutError, NoAnswer) as error:
            self._metrics.outcome(command.type, "unknown")
            tell(command, "unknown")
            raise NoAnswer from error
        except NotAccepted:
            tell(command, "refused")
            raise
        finally:
            self._forget(request)
        self._metrics.answered(command.type, clock() - began)
        tell(command, "answered", reply)
        return reply

    async def send(self, command: OutgoingCommand) -> None:
        """Returns once the command is queued. Raises ``NotAccepted``, and ``NoAnswer`` where that is unknown."""
        try:
            await self._publish(command, CONFIRM_SECONDS_MAX, reply=False)
        except Lost as error:
            raise NoAnswer from error
        self._metrics.outcome(command.type, "confirmed")
        tell(command, "confirmed")

    async def put(self, notice: Notice) -> None:
        """Returns once the notice is queued; raises as ``send`` does."""
        try:
            await self._confirmed(notice.name, CONFIRM_SECONDS_MAX, lambda link: link.put(notice))
        except Lost as error:
            raise NoAnswer from error
        self._metrics.outcome(notice.name, "confirmed")

    def stop_waiting(self) -> None:
        """Ends every wait for a reply with ``NoAnswer``: the process stops, and clients can look their keys up."""
        for request in self._pending.values():
            if not request.reply.done():
                request.reply.set_exception(NoAnswer())

    async def keep_connected(self) -> None:
        """Connects, and does it again after each loss; ends only when it is cancelled."""
        failures = 0
        while True:
            try:
                link = await Link.open(self._url, self._hear)
            except Lost as error:
                if failures == 0:
                    _log.warning("the broker cannot be reached", reason=str(error))
                await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1
                continue
            failures = 0
            await self._use(link)

    async def _use(self, link: Link) -> None:
        """From a connection's opening to its end. What is pending goes out again: its first sending may be lost."""
        self._link, self._unheard_since = link, None
        self._metrics.reconnects.inc()
        self._metrics.connected.set(1)
        try:
            for request in list(self._pending.values()):
                task = asyncio.create_task(self._send_again(link, request))
                self._resending.add(task)
                task.add_done_callback(self._resending.discard)
            await link.ended()
            _log.warning("the connection to the broker was lost")
        finally:
            self._link = None
            self._metrics.connected.set(0)
            await link.close()

    async def _send_again(self, link: Link, request: _Request) -> None:
        """Whatever comes of it, the first sending's outcome is unknown; so nobody is told but by a reply."""
        command, request.again = request.command, True
        try:
            async with asyncio.timeout(CONFIRM_SECONDS_MAX):
                await link.publish(command, reply=True)
        except (Lost, Rejected, TimeoutError) as error:
            _log.warning("a command could not be sent again", command=command.type, reason=repr(error))

    async def _publish(self, command: OutgoingCommand, confirm_seconds: float, *, reply: bool) -> None:
        """Sends over the present connection. A loss while a reply is awaited is made good by sending again."""
        try:
            await self._confirmed(command.type, confirm_seconds, lambda link: link.publish(command, reply=reply))
        except Lost:
            if not reply:
                raise

    async def _confirmed(self, what: str, within: float, publish: Callable[[Link], Awaitable[None]]) -> None:
        """Publishes over the present connection, and returns once the broker has confirmed it.

        Raises ``NotAccepted`` (``Full`` where a queue refused it), ``NoAnswer`` where no confirm came within so many
        seconds, and ``Lost``.
        """
        link = self._link
        if link is None or self._must_wait():
            self._metrics.outcome(what, "refused")
            raise NotAccepted(self.problem or "the broker confirms nothing")
        try:
            async with asyncio.timeout(within):
                await publish(link)
            self._unheard_since = None
        except TimeoutError as error:
            self._unheard_since = time.monotonic()
            raise NoAnswer from error
        except Rejected as error:
            self._metrics.outcome(what, "refused")
            raise Full from error

    def _must_wait(self) -> bool:
        """Whether the broker is silent and was tried just now; else the caller is the one that tries it."""
        if self._unheard_since is None:
            return False
        if time.monotonic() - self._unheard_since < _PROBE_SECONDS:
            return True
        self._unheard_since = time.monotonic()
        return False

    def _remember(self, command: OutgoingCommand) -> _Request:
        if len(self._pending) >= PENDING_MAX:
            raise NotAccepted("too many requests wait for their replies")
        request = _Request(command)
        self._pending[command.message_id] = request
        self._metrics.pending.set(len(self._pending))
        return request

    def _forget(self, request: _Request) -> None:
        self._pending.pop(request.command.message_id, None)
        self._metrics.pending.set(len(self._pending))

    def _hear(self, correlation_id: str, body: bytes) -> None:
        """A reply goes to the request that it names, and to no other."""
        request = self._pending.get(correlation_id)
        if request is None or request.reply.done():
            self._metrics.late_replies.inc()
            return
        if request.again and _is_of_its_sender(body):
            request.reply.set_exception(NoAnswer())
        else:
            request.reply.set_result(body)


def _is_of_its_sender(reply: bytes) -> bool:
    """Whether it refuses the sender, whose rights are looked at before what became of an earlier sending is.

    Then it says nothing of that one: rights may have been withdrawn in between.
    """
    error = decode_reply(reply).error
    return not isinstance(error, msgspec.UnsetType) and error.code in _OF_ITS_SENDER
