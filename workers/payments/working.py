"""Works off the events that are due: looked up and translated many at once, and told to the ledger.

Those that Stripe has to be asked about go a way of their own, so that a slow answer keeps nobody else waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

import structlog

from workers.ledger.faults import Fault
from workers.payments import pauses
from workers.payments.asking import DeniedError, Stripe, StripeAwayError
from workers.payments.model import Ask, Asked, CheckoutSession, Event, Known, Named, PaymentIntent, Refused, Translation
from workers.payments.reading import UnreadableError, event, named
from workers.payments.store import Claimed, EventStore, Step
from workers.payments.telling import Later, Stuck, Telling, Verdict
from workers.payments.translation import translate
from workers.payments.watching import Watching
from workers.waiting import wait_at_most

_log = structlog.get_logger(__name__)

_AT_ONCE: Final = 200
_LOOK_SECONDS: Final = 0.5
"""Between two looks for events that have become due."""
_PAUSE_SECONDS: Final = 1.0
"""After a fault."""
_QUESTIONS_AT_ONCE: Final = 8
_QUESTIONS_MAX: Final = 100
"""Events that wait for Stripe; more of them come up again later."""
_ROUNDS_MAX: Final = 4
"""Questions about one event: its payment, the payment's refunds, its dispute, and one in reserve."""


class Working:
    """``live``: whether our key moves real money, where there is one."""

    def __init__(
        self, store: EventStore, stripe: Stripe, telling: Telling, watching: Watching, live: bool | None
    ) -> None:
        self._store = store
        self._stripe = stripe
        self._telling = telling
        self._watching = watching
        self._live = live
        self._woken = asyncio.Event()
        self._asking: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(_QUESTIONS_AT_ONCE)
        self._away: str | None = None

    @property
    def problem(self) -> str | None:
        """Why nothing can be worked off now."""
        return self._away

    def wake(self) -> None:
        """There is something to do."""
        self._woken.set()

    async def run(self) -> None:
        """Works off what is due, until cancelled."""
        try:
            while True:
                await self._once()
        finally:
            for task in self._asking:
                task.cancel()
            await asyncio.gather(*self._asking, return_exceptions=True)

    async def _once(self) -> None:
        self._woken.clear()
        try:
            number = await self._round() if self._watching.has_room else 0
        except Fault as fault:
            _log.warning("events wait for the database", reason=str(fault))
            self._away = str(fault)
            await asyncio.sleep(_PAUSE_SECONDS)
            return
        self._away = None
        if number < _AT_ONCE:
            await wait_at_most(self._woken, _LOOK_SECONDS)

    async def _round(self) -> int:
        claimed = await self._store.claim(_AT_ONCE, pauses.LEASE)
        held = await self._watching.look([one.id for one in claimed if one.sent])
        read: list[tuple[Claimed, Event]] = []
        verdicts: list[tuple[Claimed, Verdict]] = []
        for one in claimed:
            if one.id in held:
                continue
            about = _read(one)
            if isinstance(about, Event):
                read.append((one, about))
            else:
                verdicts.append((one, about))
        known = await self._known(about for _, about in read)
        asks: list[tuple[Claimed, Event, Ask]] = []
        for one, about in read:
            result = self._translated(about, known, Asked())
            if isinstance(result, Ask):
                asks.append((one, about, result))
            else:
                verdicts.append((one, result))
        verdicts += await self._begin_asking(asks)
        await self._telling.tell(verdicts)
        return len(claimed)

    async def _begin_asking(self, asks: Sequence[tuple[Claimed, Event, Ask]]) -> list[tuple[Claimed, Verdict]]:
        """Answers for those that there is no room for now."""
        room = max(_QUESTIONS_MAX - len(self._asking), 0)
        taken = asks[:room]
        if taken:
            await self._store.take([Step(id=one.id, pause=pauses.ASKING) for one, _, _ in taken])
        for one, about, question in taken:
            task = asyncio.create_task(self._ask(one, about, question))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        return [(one, Later()) for one, _, _ in asks[room:]]

    async def _ask(self, one: Claimed, about: Event, question: Ask) -> None:
        try:
            async with asyncio.timeout(pauses.ASKING.total_seconds()), self._turns:
                verdict = await self._answered(about, question)
            await self._telling.tell([(one, verdict)])
        except TimeoutError:
            _log.warning("Stripe was too slow", event_id=one.id)
        except Fault as fault:
            _log.warning("an event waits for the database", event_id=one.id, reason=str(fault))
        except Exception:  # it is due again when its lease ends; the others go on
            _log.exception("an event could not be asked about", event_id=one.id)

    async def _answered(self, about: Event, question: Ask) -> Verdict:
        asked = Asked()
        try:
            for _ in range(_ROUNDS_MAX):
                asked = await self._stripe.ask(question, asked)
                result = self._translated(about, await self._known([about], asked), asked)
                if not isinstance(result, Ask):
                    return result
                question = result
        except StripeAwayError as error:
            _log.warning("Stripe cannot be asked", event_id=about.id, reason=str(error))
            return Later()
        except DeniedError as error:
            return Stuck("denied", str(error))
        except Fault:
            raise
        except Exception as error:  # our own fault, and of this event alone
            _log.exception("Stripe's answer cannot be worked with", event_id=about.id)
            return Stuck("internal", f"our own fault: {error!r}")
        return Stuck("internal", f"asked again and again, at last for {question.kind} {question.id}")

    def _translated(self, about: Event, known: Known, asked: Asked) -> Translation | Stuck:
        try:
            return translate(about, known, asked, self._live)
        except Exception as error:  # our own fault, and of this event alone: the others go on
            _log.exception("an event cannot be translated", event_id=about.id)
            return Stuck("internal", f"our own fault: {error!r}")

    async def _known(self, events: Iterable[Event], asked: Asked | None = None) -> Known:
        payments: set[str] = set()
        sessions: set[str] = set()
        names: set[Named | None] = set()
        objects = [one.object for one in events if one.object is not None]
        if asked is not None:
            objects += [payment for payment in asked.payments.values() if payment is not None]
        for about in objects:
            intent = about.id if isinstance(about, PaymentIntent) else about.payment_intent
            if intent is not None:
                payments.add(intent)
            if isinstance(about, CheckoutSession):
                sessions.add(about.id)
            names.add(named(about))
        names.discard(None)
        if not (payments or sessions or names):
            return Known()
        return await self._store.find_purchases(payments, sessions, [name for name in names if name is not None])


def _read(one: Claimed) -> Event | Refused | Stuck:
    try:
        return event(one.body)
    except UnreadableError as error:
        return Refused(f"it cannot be read: {error}")
    except Exception as error:  # our own fault, and of this event alone: the others go on
        _log.exception("an event cannot be read", event_id=one.id)
        return Stuck("internal", f"our own fault: {error!r}")
