"""The client: credits of users, by commands to the ledger."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Literal, Self

from mana_client import commands, wire
from mana_client.asking import Asker
from mana_client.events import topics as event_topics
from mana_client.events.log import LogReader
from mana_client.events.model import Item, Start
from mana_client.events.positions import PositionStore
from mana_client.events.queue import QueueReader
from mana_client.events.reading import Wanted
from mana_client.link import login_of
from mana_client.replies import balance_of, result_of
from mana_client.results import Balance, Result

TIMEOUT_SECONDS: Final = 10.0
TEXT_LENGTH_MAX: Final = 500
"""Characters of a description, and of a reason."""

UserId = str | uuid.UUID


class Mana:
    """Uses, gives back, grants and reads credits, by RabbitMQ.

        async with Mana("amqp://chat.k3f9x0a2b7c1:mana_app_…@broker/") as mana:
            result = await mana.use(user_id, 3, description="GPT answer")

    One client is enough for a whole process: any number of tasks may call it together. It connects again by itself.

    ``app`` is the app under which credits are used, unless a call names another: by default what stands before the
    first dot of the login. ``timeout``: for how many seconds a call tries, unless it says otherwise.

    ``amqp_url`` may be a function, which is asked before each connection. Where it answers with what a file holds, say,
    a new secret takes the place of an old one without a restart.

    Each method that writes makes an idempotency key before its first try, and keeps it through all of them, so that
    whatever is lost on the way, it is done once at most. Where no answer comes in time, ``OutcomeUnknown`` carries the
    key. With a ``key`` of your own (a key belongs to a user, over all apps: begin it with your app's id) the call can
    be repeated also after your process has ended.

    **Give a** ``key`` **where a call may be cancelled**, as by ``asyncio.wait_for``, ``asyncio.timeout`` or a request
    whose caller hangs up. The command may have been sent by then, nothing is raised that carries the key made for it,
    and to call again without it is another command. For a time limit alone there is ``timeout``.

    All of them raise a subclass of ``ManaError``: ``Refused`` with the contract's ``code``, such as
    ``InsufficientCredits``; ``OutcomeUnknown``, or ``NoAnswer`` from ``balance``; ``LoginRefused`` and ``NotAllowed``
    where the broker says no. What is wrong with an argument is raised as ``InvalidRequest`` before anything is sent.

    ``deadline``: a command that the ledger first sees after it is refused with ``DeadlineExceeded``.
    """

    def __init__(
        self, amqp_url: str | Callable[[], str], *, app: str | None = None, timeout: float = TIMEOUT_SECONDS
    ) -> None:
        self._address = (lambda: amqp_url) if isinstance(amqp_url, str) else amqp_url
        self._app = commands.app(app or login_of(self._address()).partition(".")[0])
        self._timeout = commands.seconds(timeout, "timeout")
        self._asker = Asker(self._address)

    async def __aenter__(self) -> Self:
        """Connects. Raises ``LoginRefused``, and ``NotConnected`` where it does not succeed within the timeout."""
        await self._asker.open(self._timeout)
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Hangs up. Calls of other tasks that still wait end with ``OutcomeUnknown``."""
        await self._asker.close()

    async def use(
        self,
        user_id: UserId,
        amount: int,
        *,
        description: str,
        app: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        key: str | None = None,
        deadline: datetime | None = None,
        timeout: float | None = None,
    ) -> Result:
        """Takes credits, free ones first. Raises ``InsufficientCredits`` where the account holds less.

        ``metadata`` (at most 8 KiB as JSON) is kept with the transaction; by ``metadata["model"]`` usage is counted.
        """
        fields = {
            "amount": commands.amount(amount),
            "appId": self._app if app is None else commands.app(app),
            "description": wire.text(description, "description", TEXT_LENGTH_MAX),
            "metadata": wire.metadata(metadata),
        }
        return await self._write("credits.use", user_id, fields, key, deadline=deadline, timeout=timeout)

    async def refund(
        self,
        user_id: UserId,
        transaction_id: UserId,
        *,
        amount: int | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        key: str | None = None,
        deadline: datetime | None = None,
        timeout: float | None = None,
    ) -> Result:
        """Gives a usage back: ``amount`` of it, or all that was not given back before.

        Without a ``key``, each call is a refund of its own. Raises ``InvalidRequest`` where less is left.
        """
        fields = {
            "transactionId": commands.identifier(transaction_id, "transactionId"),
            "amount": None if amount is None else commands.amount(amount),
            "description": None if description is None else wire.text(description, "description", TEXT_LENGTH_MAX),
            "metadata": wire.metadata(metadata),
        }
        return await self._write("credits.refund", user_id, fields, key, deadline=deadline, timeout=timeout)

    async def grant(
        self,
        user_id: UserId,
        amount: int,
        *,
        description: str,
        source: Literal["promotion", "bonus"] = "bonus",
        expires_at: datetime | None = None,
        metadata: Mapping[str, Any] | None = None,
        key: str | None = None,
        deadline: datetime | None = None,
        timeout: float | None = None,
    ) -> Result:
        """Gives free credits, for ever or until ``expires_at``. The app needs the permission ``credits:grant``."""
        fields = {
            "amount": commands.amount(amount),
            "description": wire.text(description, "description", TEXT_LENGTH_MAX),
            "source": commands.one_of(source, "source", ("promotion", "bonus")),
            "expiresAt": None if expires_at is None else commands.moment(expires_at, "expiresAt"),
            "metadata": wire.metadata(metadata),
        }
        return await self._write("credits.grant", user_id, fields, key, deadline=deadline, timeout=timeout)

    async def adjust(
        self,
        user_id: UserId,
        amount: int,
        *,
        description: str,
        reason: str,
        metadata: Mapping[str, Any] | None = None,
        key: str | None = None,
        deadline: datetime | None = None,
        timeout: float | None = None,
    ) -> Result:
        """Corrects an account, upwards or downwards. The app needs the permission ``credits:adjust``.

        Raises ``InsufficientCredits`` where it would come to less than none.
        """
        fields = {
            "amount": commands.amount(amount, signed=True),
            "description": wire.text(description, "description", TEXT_LENGTH_MAX),
            "reason": wire.text(reason, "reason", TEXT_LENGTH_MAX),
            "metadata": wire.metadata(metadata),
        }
        return await self._write("credits.adjust", user_id, fields, key, deadline=deadline, timeout=timeout)

    async def balance(self, user_id: UserId, *, timeout: float | None = None) -> Balance:
        """What the account holds, behind every command of this user that was sent before."""
        command = commands.command("credits.balance", commands.identifier(user_id, "userId"), None, None, {})
        return balance_of(await self._asker.ask(command, self._seconds(timeout)))

    def events(
        self,
        *,
        position: PositionStore | None = None,
        start: Start = "first",
        types: Collection[str] | None = None,
        user_id: UserId | None = None,
        queue: str | None = None,
        topics: Collection[str] | None = None,
    ) -> AsyncGenerator[Item]:
        """What happens to credits and users, without end: ``async for item in mana.events(…)``.

        Read from the log ``credits.events.log``, for which the app needs the permission ``admin``: from the
        ``position`` that was stored, else from ``start`` on. The position is stored once the next item is asked for.
        So each event comes at least once: what was being handled when the process ended comes again. Where your work
        is a transaction of a database, store ``event.position`` in it and begin there (``start``): then each counts
        once.

        With ``queue`` (its name begins with the app's id and a dot): from a durable queue, made where there is none,
        in which events are kept also while nobody reads. It gets the events of what happens under the app's own id,
        for which the app needs the permission ``events:read``, or those of other ``topics``, or of ``types`` that
        happen under no app's, for which it needs ``admin``. They are acknowledged once the next item is asked for.

        ``types`` and ``user_id`` choose; types and topics that no event has are refused (``ValueError``). An item is an
        ``Event``; or, from the log, a ``Gap`` where events of a user are missing, a ``LogGap`` where the log has
        dropped what was not read yet, a ``LogReplaced`` where this is not the log of that position. What this reader
        has seen is dropped as a repeat, nothing else. Events of one user are in order, but what was missing and is sent
        again comes late, also from before the first one that was seen.

        It has a connection of its own, made anew whenever it is lost, and needs no open client. Whoever leaves before
        the end closes it by ``contextlib.aclosing``. Raises ``LoginRefused``, and ``NotAllowed`` where a permission is
        missing.
        """
        user = None if user_id is None else commands.identifier(user_id, "userId")
        wanted = Wanted(event_topics.known(types), user)
        if queue is None:
            if topics is not None:
                raise ValueError("topics are of a queue: name one")
            return LogReader(self._address, position, start, wanted).items()
        if position is not None or start != "first":
            raise ValueError("a queue is its own position: it takes neither position nor start")
        chosen = event_topics.own(types, self._app) if topics is None else event_topics.matching(topics, types)
        return QueueReader(self._address, queue, chosen, wanted).items()

    async def _write(
        self,
        type_: str,
        user_id: UserId,
        fields: dict[str, Any],
        key: str | None,
        *,
        deadline: datetime | None,
        timeout: float | None,
    ) -> Result:
        user = commands.identifier(user_id, "userId")
        used_key = str(uuid.uuid4()) if key is None else commands.key_of(key)
        command = commands.command(type_, user, used_key, deadline, fields)
        return result_of(await self._asker.ask(command, self._seconds(timeout)), used_key)

    def _seconds(self, timeout: float | None) -> float:
        return self._timeout if timeout is None else commands.seconds(timeout, "timeout")
