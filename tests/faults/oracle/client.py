"""A client of the command queue that writes down each attempt before it sends it, and each answer before it uses it."""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar
from urllib.parse import unquote, urlsplit

from bench.frames import BrokerError, Properties, connect, message_frames
from bench.frames import Client as Connection
from tests.faults.oracle import commands
from tests.faults.oracle.journal import Attempt, Class, Journal, Outcome
from tests.faults.oracle.outcomes import of_reply

T = TypeVar("T")

DEADLINE: Final = 10.0
"""Seconds that a client waits for an answer, unless told otherwise."""
_HEARTBEAT: Final = 5
_RECONNECT_SECONDS: Final = (0.1, 0.6)
_INSIST_SECONDS: Final = (0.05, 1.0)
STRAY: Final = "stray"
"""The code of a reply that belongs to no attempt of this client."""


@dataclass(frozen=True)
class _Sending:
    """An attempt on its way: ``routing_key`` is the user's id, but for what is meant to be wrong."""

    attempt: Attempt
    routing_key: str
    headers: Mapping[str, str] | None
    answer: asyncio.Future[Outcome]


class Client:
    """One connection, made again by itself when it is lost. Messages leave in the order in which they were sent.

    ``transport`` names this client in the journal, by default ``amqp``, ``amqp:2`` …: within one, the order is promised
    to be kept. ``exchange``: the commands', or one that passes them on to it.
    """

    def __init__(
        self, url: str, journal: Journal, *, transport: str | None = None, exchange: str = commands.EXCHANGE
    ) -> None:
        self.journal = journal
        self.away: BrokerError | None = None
        self.reconnections = 0
        self._url = url
        self._login = unquote(urlsplit(url).username or "")
        self._transport = transport or journal.new_transport("amqp")
        self._exchange = exchange
        self._connection: Connection | None = None
        self._up = asyncio.Event()
        self._lost = asyncio.Event()
        self._outbox: list[_Sending] = []
        self._publishing: asyncio.Task[None] | None = None
        self._keeping_up: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}
        self._returned: set[int] = set()

    async def __aenter__(self) -> Self:
        """Connects. Raises ``BrokerError``."""
        await self._connect()
        self._keeping_up = asyncio.create_task(self._keep_up())
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [task for task in (self._keeping_up, self._publishing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._connection is not None:
            await self._connection.close()
        await self.journal.synced()

    async def connected(self, within: float) -> None:
        """Returns once there is a connection. Raises ``TimeoutError``."""
        await asyncio.wait_for(self._up.wait(), within)

    async def send(
        self,
        op: str,
        user: str,
        key: str = "",
        *,
        amount: int | None = None,
        app: str = "chat",
        deadline: float = DEADLINE,
        body_extra: dict[str, Any] | None = None,
        message_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        routing_key: str | None = None,
    ) -> Outcome:
        """Sends a command (see ``commands.TYPES``) and returns what is known of it after at most ``deadline`` seconds.

        ``headers`` are the message's, such as ``deadline`` and ``traceparent``. A ``message_id`` is made up unless one
        is given; an empty one is left out.
        """
        body = commands.body(op, user, key, amount, app, body_extra)
        return await self._send(
            op, user, key, amount, body, deadline, message_id, headers=headers, routing_key=routing_key
        )

    async def again(
        self,
        attempt: Attempt,
        *,
        amount: int | None = None,
        deadline: float = DEADLINE,
        message_id: str | None = None,
    ) -> Outcome:
        """Sends an attempt's command by a new message, or one of this id; with another ``amount`` if one is given."""
        body = attempt.body if amount is None else json.dumps({**json.loads(attempt.body), "amount": amount})
        asked = attempt.amount if amount is None else amount
        return await self._send(attempt.op, attempt.user, attempt.key, asked, body, deadline, message_id)

    async def _send(
        self,
        op: str,
        user: str,
        key: str,
        amount: int | None,
        body: str,
        deadline: float,
        message_id: str | None,
        *,
        headers: Mapping[str, str] | None = None,
        routing_key: str | None = None,
    ) -> Outcome:
        attempt = self.journal.attempt(
            user=user,
            key=key,
            op=op,
            amount=amount,
            message_id=str(uuid.uuid4()) if message_id is None else message_id,
            transport=self._transport,
            body=body,
        )
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._outbox.append(_Sending(attempt, routing_key or user, headers, answer))
        if self._publishing is None:
            self._publishing = asyncio.create_task(self._publish_on())
        try:
            outcome = await asyncio.wait_for(answer, deadline)
        except TimeoutError:
            outcome = self._note(Outcome(attempt.n, "unknown", "timeout", at=time.time()))
        await self.journal.synced()
        return outcome

    # Sending: what is synced leaves, in order

    async def _publish_on(self) -> None:
        while self._outbox:
            sendings, self._outbox = self._outbox, []
            await self.journal.synced()
            for sending in sendings:
                self._publish(sending)
        self._publishing = None

    def _publish(self, sending: _Sending) -> None:
        attempt = sending.attempt
        if sending.answer.done():  # its deadline came before the disk had it: it is never sent
            self._note(Outcome(attempt.n, "not_accepted", "never_sent", at=time.time()))
            return
        self._waiting[attempt.n] = sending.answer
        if self._connection is None:
            self._tell(attempt.n, "not_accepted", "unreachable")
            return
        correlation_id = f"{attempt.run}:{attempt.n}".encode()
        properties = Properties(
            message_type=commands.TYPES[attempt.op],
            user_id=self._login,
            correlation_id=correlation_id,
            message_id=attempt.message_id or None,
            headers=sending.headers,
        )
        frames = message_frames(self._exchange, sending.routing_key, properties, attempt.body.encode())
        self._connection.publish_frames(correlation_id, frames)

    # What the connection tells (bench.frames.Receiver)

    def answered(self, correlation_id: bytes, body: bytes) -> None:
        """A reply, however late."""
        n = self._number(correlation_id)
        self._hand_over(self._note(of_reply(n, body) if n else Outcome(0, "unknown", STRAY, at=time.time())))

    def refused(self, correlation_id: bytes) -> None:
        """``basic.nack``."""
        self._tell(self._number(correlation_id), "not_accepted", "nacked")

    def unroutable(self, correlation_id: bytes) -> None:
        """``basic.return``; the confirm that follows means nothing."""
        n = self._number(correlation_id)
        self._returned.add(n)
        self._tell(n, "not_accepted", "no_route")

    def lost(self, error: BrokerError) -> None:
        """The connection is gone: what has no answer gets none, whatever was done."""
        self._connection, self.away = None, error
        self._up.clear()
        self._lost.set()
        for n in list(self._waiting):
            self._tell(n, "unknown", "connection_lost")

    def _confirmed(self, correlation_id: bytes) -> None:
        n = self._number(correlation_id)
        if n in self._returned:
            self._returned.discard(n)
        else:
            self.journal.confirmed(n)

    def _number(self, correlation_id: bytes) -> int:
        run, _, number = correlation_id.decode(errors="replace").rpartition(":")
        return int(number) if run == self.journal.run and number.isdecimal() else 0

    def _tell(self, n: int, cls: Class, code: str) -> None:
        self._hand_over(self._note(Outcome(n, cls, code, at=time.time())))

    def _note(self, outcome: Outcome) -> Outcome:
        self.journal.outcome(outcome)
        return outcome

    def _hand_over(self, outcome: Outcome) -> None:
        waiting = self._waiting.pop(outcome.n, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(outcome)

    # The connection

    async def _connect(self) -> None:
        self._connection = await connect(self._url, self, _HEARTBEAT, self._confirmed)
        self._up.set()

    async def _keep_up(self) -> None:
        while True:
            await self._lost.wait()
            await asyncio.sleep(random.uniform(*_RECONNECT_SECONDS))
            try:
                await self._connect()
            except BrokerError as error:
                self.away = error  # tried again until it works, or the client is closed
            else:
                self.reconnections += 1
                self._lost.clear()


async def until_known(send: Callable[[], Awaitable[Outcome]], within: float) -> Outcome:
    """Sends until the answer is definite, or ``within`` seconds are over; the last answer. The pause grows."""
    pause, until = _INSIST_SECONDS[0], time.monotonic() + within
    while (outcome := await send()).cls not in {"acknowledged", "refused"} and time.monotonic() < until:
        await asyncio.sleep(random.uniform(pause / 2, pause))
        pause = min(2 * pause, _INSIST_SECONDS[1])
    return outcome


async def in_flight(number: int, sends: Iterable[Callable[[], Awaitable[T]]]) -> list[T]:
    """Does all of them, at most ``number`` at a time; their outcomes in the order given."""
    places = asyncio.Semaphore(number)

    async def one(send: Callable[[], Awaitable[T]]) -> T:
        async with places:
            return await send()

    return await asyncio.gather(*(one(send) for send in sends))
