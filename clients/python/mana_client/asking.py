"""Commands and their answers, over a connection that is made again whenever it is lost."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import secrets
from time import monotonic
from typing import Any, Final

from mana_client.commands import Command
from mana_client.errors import (
    AppMismatch,
    Forbidden,
    LoginRefused,
    NoAnswer,
    NotAllowed,
    NotConnected,
    OutcomeUnknown,
    Overloaded,
)
from mana_client.link import Address, Link, Lost, NotAccepted
from mana_client.replies import read_reply

_PAUSES: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
"""Seconds between attempts to connect, the last one for ever."""
_LASTING_SECONDS: Final = 10.0
"""A connection that lasted so long, or an attempt that took so long, is followed by another one at once."""
_BACKOFF_SECONDS: Final = 0.05
_BACKOFF_SECONDS_MAX: Final = 1.0

_log: Final = logging.getLogger("mana_client")


class _Try:
    """What is known of one call so far: whether a message is out whose fate is unknown, whether that was so before its
    last sending, and the last "not now"."""

    __slots__ = ("overloaded", "unknown", "was_unknown")

    def __init__(self) -> None:
        self.unknown = self.was_unknown = False
        self.overloaded = Overloaded("the broker cannot be reached")


class Asker:
    """Open it before, close it after. Any number of calls may be under way together."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._link: Link | None = None
        self._next_link: asyncio.Future[Link] | None = None
        self._waiting: dict[str, asyncio.Future[bytes | None]] = {}
        self._ids = map(f"{secrets.token_hex(8)}-{{}}".format, itertools.count(1))
        self._keeper: asyncio.Task[None] | None = None

    async def open(self, within: float) -> None:
        """Connects. Raises ``LoginRefused`` or ``NotAllowed``, and ``NotConnected`` after so many seconds."""
        if self._keeper is not None:
            raise NotConnected("this client was opened before; make another one")
        self._next_link = asyncio.get_running_loop().create_future()
        self._keeper = asyncio.create_task(self._keep_connected(), name="mana-client connection")
        try:
            async with asyncio.timeout(within):
                await asyncio.shield(self._next_link)
        except TimeoutError as error:
            await self.close()
            raise NotConnected(f"the broker could not be reached within {within} s") from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Hangs up. Calls that still wait end with ``OutcomeUnknown`` (``NoAnswer`` for reads)."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
            self._link = None
            self._offer().set_exception(NotConnected("the client is closed"))
            self._lose_all()
            if not self._keeper.cancelled():
                self._keeper.result()  # it ended by itself, which is a defect that must be seen

    async def ask(self, command: Command, within: float) -> dict[str, Any]:
        """The ledger's answer, as an object that says "ok". Tries until then, and for so many seconds.

        Raises what the ledger refuses it with; ``Overloaded`` where nothing took the command; ``OutcomeUnknown`` where
        something may have (``NoAnswer`` for what only reads).
        """
        state = _Try()
        try:
            async with asyncio.timeout(within):
                return await self._until_accepted(command, state)
        except (TimeoutError, NotConnected, LoginRefused, NotAllowed) as error:
            if state.unknown:
                raise _unanswered(command) from error
            if isinstance(error, TimeoutError):
                raise state.overloaded from error
            raise

    async def _until_accepted(self, command: Command, state: _Try) -> dict[str, Any]:
        """Tries anew, with a longer pause each time, while the ledger or the broker says "not now"."""
        pause = _BACKOFF_SECONDS
        message_id = next(self._ids)
        while True:
            try:
                return await self._answer(command, message_id, state)
            except Overloaded as error:
                state.overloaded = error
                message_id = next(self._ids)  # a refusal stands for its message
            except NotAccepted as error:  # the same goes out again: an earlier sending of it may have been taken
                state.overloaded = Overloaded(f"the broker did not take it: {error}")
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - only to spread callers
            pause = min(2 * pause, _BACKOFF_SECONDS_MAX)

    async def _answer(self, command: Command, message_id: str, state: _Try) -> dict[str, Any]:
        """One message, sent again as itself on the next connection where one is lost before its answer came.

        So it is the same message for the ledger, which never gives one message two answers.
        """
        try:
            while True:
                link = self._link or await self._connected()
                answer = self._waiting[message_id] = asyncio.get_running_loop().create_future()
                if await self._is_out(link, command, message_id, state) and (body := await answer) is not None:
                    return _read(command, body, state)
        finally:
            self._waiting.pop(message_id, None)

    async def _is_out(self, link: Link, command: Command, message_id: str, state: _Try) -> bool:
        """Whether the broker has it; ``False`` where the connection was lost before that was known."""
        state.was_unknown, state.unknown = state.unknown, True
        try:
            await link.publish(command, message_id)
        except Lost:
            self._drop(link)
            return False
        except (NotAccepted, NotAllowed):
            state.unknown = state.was_unknown
            raise
        return True

    async def _connected(self) -> Link:
        if self._next_link is None:
            raise NotConnected("the client is not open: use it in `async with Mana(…)`")
        return await asyncio.shield(self._next_link)

    async def _keep_connected(self) -> None:
        """Connects, and does it again after each loss; ends only when it is cancelled."""
        failures = 0
        while True:
            began = monotonic()
            try:
                await self._use(await Link.open(self._address, self._hear))
            except (Lost, LoginRefused, NotAllowed) as error:
                self._tell(error, failures)
            if monotonic() - began > _LASTING_SECONDS:
                failures = 0
            else:  # also a connection that did not last: else it would be made again without a pause
                await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1

    def _tell(self, error: Lost | LoginRefused | NotAllowed, failures: int) -> None:
        """A lost connection comes back; a login that is refused is told to all who wait for one, at once."""
        if failures == 0:
            _log.warning("the broker cannot be reached: %s", error)
        if not isinstance(error, Lost):
            self._offer().set_exception(error)

    async def _use(self, link: Link) -> None:
        """From a connection's opening to its end."""
        self._link = link
        self._offer().set_result(link)
        try:
            await link.ended()
            _log.warning("the connection to the broker was lost")
        finally:
            self._drop(link)
            await link.close()

    def _drop(self, link: Link) -> None:
        """It is of no use any more: what comes waits for the next one, and what waits for answers is sent again."""
        link.give_up()
        if self._link is link:
            self._link, self._next_link = None, asyncio.get_running_loop().create_future()
            self._lose_all()

    def _offer(self) -> asyncio.Future[Link]:
        """The future of the next connection, to be decided now: a new one where an earlier one told of a refusal."""
        if self._next_link is None or self._next_link.done():
            self._next_link = asyncio.get_running_loop().create_future()
        self._next_link.add_done_callback(_retrieve)
        return self._next_link

    def _lose_all(self) -> None:
        """Whoever waits for an answer is told that none comes on this connection."""
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result(None)

    def _hear(self, correlation_id: str, body: bytes) -> None:
        """A reply goes to the message that it names, and to no other; one that nobody waits for is dropped."""
        answer = self._waiting.get(correlation_id)
        if answer is not None and not answer.done():
            answer.set_result(body)


def _read(command: Command, body: bytes, state: _Try) -> dict[str, Any]:
    """The answer, which is that to all sendings of the message: the ledger looks first whether it is done.

    But not before it has looked whether the sender may: rights that were withdrawn tell nothing of an earlier sending.
    """
    state.unknown = False
    try:
        return read_reply(body, command.key)
    except (Forbidden, AppMismatch) as error:
        if state.was_unknown and command.key is not None:
            why = f"it is refused by now ({error}), but an earlier sending had no answer"
            raise OutcomeUnknown(command.key, why) from error
        raise


def _unanswered(command: Command) -> NoAnswer:
    return NoAnswer("no answer came in time") if command.key is None else OutcomeUnknown(command.key)


def _retrieve(future: asyncio.Future[Link]) -> None:
    """Nobody need have waited for it: without this, asyncio complains of an error that nobody asked for."""
    future.exception()
