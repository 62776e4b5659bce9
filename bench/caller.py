"""Sends commands until each has its answer: again with the same key after a nack, a silence, or a lost connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Self

import msgspec

from bench.calls import Call, Sendings
from bench.frames import BrokerError, Client, Template, connect
from bench.frames.address import Address
from contracts.replies import ReplyView, decode_reply
from contracts.topology import COMMANDS_EXCHANGE

OnAnswer = Callable[[Call, ReplyView], None]


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds, for what."""

    answer: float = 15.0
    """For a reply, until the command is sent again."""
    anything: float = 120.0
    """For any reply at all, until the run is given up."""
    after_nack: float = 0.05
    """Before what the broker did not take is sent again; each time twice as long, up to a second."""
    reconnect: float = 1.0
    """Between two attempts to connect."""


_LONGEST_AFTER_NACK: Final = 1.0
_LOOK_AROUND: Final = 0.5


class Caller:
    """One connection, kept up; at most ``in_flight`` commands without an answer."""

    def __init__(self, url: str, in_flight: int, patience: Patience | None = None) -> None:
        self._sendings = Sendings()
        self._url = url
        self._login = Address.of(url).login
        self._in_flight = in_flight
        self._patience = patience or Patience()
        self._client: Client | None = None
        self._away: BrokerError | None = None
        self._pending: dict[int, Call] = {}
        self._runs = 0
        self._templates: dict[str, Template] = {}
        self._on_answer: OnAnswer = lambda _call, _reply: None
        self._wake = asyncio.Event()
        self._failure: Exception | None = None
        self._heard = time.monotonic()
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Connects. Raises ``BrokerError``."""
        self._client = await connect(self._url, self)
        self._watch = asyncio.create_task(self._look_around())
        self._watch.add_done_callback(self._watch_ended)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self._client is not None:
            await self._client.close()

    async def run(self, calls: Iterable[Call], on_answer: OnAnswer) -> Sendings:
        """Sends each command when it is due, ends once each has been answered (one answer each); what that took.

        Raises ``BrokerError`` where no queue takes commands, or nothing comes back for long; and what ``on_answer``
        raises.
        """
        self._on_answer, self._sendings = on_answer, Sendings()
        self._runs += 1
        start = self._heard = time.monotonic()
        for call in calls:
            while len(self._pending) >= self._in_flight:
                await self._something_happens()
            if call.due and (wait := start + call.due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            if not self._pending:
                self._heard = time.monotonic()
            self._pending[call.number] = call
            self._send(call)
        while self._pending:
            await self._something_happens()
        return self._sendings

    async def _something_happens(self) -> None:
        self._wake.clear()
        await self._wake.wait()
        if self._failure is not None:
            raise self._failure

    def _send(self, call: Call) -> None:
        call.tries += 1
        call.sent_at = time.monotonic()
        template = self._templates.get(call.type)
        if template is None:
            template = self._templates[call.type] = Template(COMMANDS_EXCHANGE, call.type, self._login)
        if self._client is not None:  # else it goes out with the next connection
            self._sendings.published += 1
            correlation_id = b"%d.%d.%d" % (self._runs, call.number, call.tries)
            self._client.publish(template, call.user.encode(), correlation_id, call.body)

    # The client's side (bench.frames.Receiver)

    def answered(self, correlation_id: bytes, body: bytes) -> None:
        """Takes a reply. A refusal of an earlier try is not the last word while a later one is under way."""
        try:
            call, last_try = self._call(correlation_id)
            reply = decode_reply(body)
            if call is None or not (reply.ok or last_try):
                self._sendings.late += 1
                return
            self._heard = time.monotonic()
            del self._pending[call.number]
            self._on_answer(call, reply)
        except Exception as error:  # handed to run(), whose caller it concerns
            self._fail(_readable(error, body))
        self._wake.set()

    def refused(self, correlation_id: bytes) -> None:
        """The queue is full: the same command again, a little later."""
        call, last_try = self._call(correlation_id)
        if call is not None and last_try:
            self._sendings.overloaded += 1
            pause = min(self._patience.after_nack * 2 ** min(call.tries - 1, 10), _LONGEST_AFTER_NACK)
            asyncio.get_running_loop().call_later(pause, self._again, call, call.tries)

    def unroutable(self, correlation_id: bytes) -> None:
        """Nothing is bound: sending again would not help."""
        self._fail(BrokerError(f"no queue is bound to {COMMANDS_EXCHANGE}: is this the broker of a started instance?"))

    def lost(self, error: BrokerError) -> None:
        """The connection is gone: another one, and all that had no answer goes out again on it."""
        self._client, self._away = None, error

    def _call(self, correlation_id: bytes) -> tuple[Call | None, bool]:
        """The pending call that is meant, and whether its last try is."""
        run, number, tried = (int(part) for part in correlation_id.split(b"."))
        call = self._pending.get(number) if run == self._runs else None
        return call, call is not None and tried == call.tries

    def _again(self, call: Call, tries: int) -> None:
        """Sends it again unless it was answered, or sent again, in the meantime."""
        if call.number in self._pending and call.tries == tries:
            self._send(call)

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        self._wake.set()

    async def _look_around(self) -> None:
        """Reconnects, and sends again what has waited too long."""
        while self._failure is None:
            await asyncio.sleep(_LOOK_AROUND if self._client is not None else self._patience.reconnect)
            if self._pending and time.monotonic() - self._heard > self._patience.anything:
                self._fail(self._silence())
            elif self._client is None:
                await self._reconnect()
            elif not self._client.blocked:
                self._repeat(older_than=self._patience.answer)

    def _watch_ended(self, watch: asyncio.Task[None]) -> None:
        if not watch.cancelled() and (error := watch.exception()) is not None:
            self._fail(error if isinstance(error, Exception) else RuntimeError(repr(error)))

    def _silence(self) -> BrokerError:
        why = "is a worker running?" if self._client is not None else f"{self._away}"
        return BrokerError(f"no answer came for {self._patience.anything:.0f} s: {why}")

    async def _reconnect(self) -> None:
        try:
            self._client = await connect(self._url, self)
        except BrokerError as error:
            self._away = error
            return  # tried again until the patience for anything at all is at its end
        self._repeat(older_than=0.0)

    def _repeat(self, older_than: float) -> None:
        latest = time.monotonic() - older_than
        for call in [call for call in self._pending.values() if call.sent_at <= latest]:
            self._sendings.unanswered += 1
            self._send(call)


def _readable(error: Exception, body: bytes) -> Exception:
    if isinstance(error, msgspec.DecodeError):
        return BrokerError(f"what came back is no reply of the contract ({error}): {body[:200]!r}")
    return error
