"""The events' rows, and what they are compared with. Every function raises a ``Fault`` where the database cannot be
used; none holds anything from one statement to the next, so several workers may work side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from workers.ledger.store.reopening import Reopening
from workers.ledger.store.statements import statement
from workers.payments.model import Known, Named, Purchase
from workers.payments.reading import Incoming

SCHEMA_NEEDED: Final = 30
"""The last migration that this room's statements were written with."""
_statement = partial(statement, folder=Path(__file__).parent / "sql")
_REASON_MAX: Final = 2000

_KEEP: Final = _statement("keep")
_CLAIM: Final = _statement("claim")
_FIND_PURCHASES: Final = _statement("find_purchases")
_TAKE_STEPS: Final = _statement("take_steps")
_FINISH: Final = _statement("finish")
_FIND_REFUSALS: Final = _statement("find_refusals")
_LIST_ALARMS: Final = _statement("list_alarms")
_MEASURE: Final = _statement("measure")
_FORGET_BODIES: Final = _statement("forget_bodies")

Outcome = Literal["done", "ignored", "refused"]


class Claimed(Struct, frozen=True):
    """An event that is ours to work off for a while. ``tries``: how often its commands were sent; ``sent``: ever;
    ``alarmed``: somebody was told that it does not come to its end."""

    id: str
    type: str
    body: bytes | None
    tries: int
    sent: bool
    alarmed: bool


class Step(Struct, frozen=True, kw_only=True):
    """What an event has come to. With an ``outcome`` it is done; without one it is due again after ``pause``.

    ``reason`` is why it was refused or ignored, and of one that is not done the alarm that somebody has to look at.
    """

    id: str
    outcome: Outcome | None = None
    reason: str | None = None
    account_id: str | None = None
    keys: tuple[str, ...] | None = None
    tried: bool = False
    pause: timedelta = timedelta(0)


class Finished(Struct, frozen=True):
    """An event that is done, ``seconds`` after it was received."""

    id: str
    type: str
    outcome: Outcome
    seconds: float


class Refusal(Struct, frozen=True):
    """What the ledger said to one of an event's commands. ``first``: no older event waits for the same command."""

    id: str
    key: str
    code: str
    message: str
    first: bool


class Figures(Struct, frozen=True):
    """Events that are not done; the oldest one's age in seconds."""

    waiting: int
    alarms: int
    oldest: float


class EventStore:
    """On one connection, which is made again after a loss."""

    def __init__(self, url: str, *, application_name: str) -> None:
        self._rows = Reopening(url, application_name=application_name)

    async def keep(self, events: Sequence[Incoming]) -> int:
        """Keeps each that is not there yet; answers how many those were."""
        ordered = sorted(events, key=lambda event: event.id)  # two workers wait for each other in no circle
        return len(
            await self._rows.fetch(
                _KEEP,
                [event.id for event in ordered],
                [event.type for event in ordered],
                [event.body for event in ordered],
                [event.created_at for event in ordered],
                [event.livemode for event in ordered],
                [event.refused for event in ordered],
            )
        )

    async def claim(self, most: int, lease: timedelta) -> list[Claimed]:
        """Takes events that are due, for so long."""
        rows = await self._rows.fetch(_CLAIM, most, lease)
        return [Claimed(**row) for row in rows]

    async def find_purchases(self, payments: Iterable[str], sessions: Iterable[str], names: Iterable[Named]) -> Known:
        """The purchases that any of these lead to."""
        every = sorted(set(names), key=lambda name: name.purchase_id)
        users, purchases = [name.user_id for name in every], [name.purchase_id for name in every]
        rows = await self._rows.fetch(_FIND_PURCHASES, sorted(set(payments)), sorted(set(sessions)), users, purchases)
        found = [Purchase(**row) for row in rows]
        return Known(
            by_payment={one.payment_intent: one for one in found if one.payment_intent is not None},
            by_session={one.session: one for one in found if one.session is not None},
            by_name={Named(one.account_id, one.id): one for one in found},
        )

    async def take(self, steps: Sequence[Step]) -> list[Finished]:
        """Writes what events have come to; answers with those that are done by it."""
        rows = await self._rows.fetch(
            _TAKE_STEPS,
            [step.id for step in steps],
            [step.account_id for step in steps],
            [None if step.keys is None else " ".join(step.keys) for step in steps],
            [int(step.tried) for step in steps],
            [step.outcome for step in steps],
            [_storable(step.reason) for step in steps],
            [step.pause for step in steps],
        )
        return [Finished(**row) for row in rows if row["outcome"] is not None]

    async def finish(self, events: Sequence[str]) -> list[Finished]:
        """Ends those of these events whose keys the ledger holds, all of them."""
        rows = await self._rows.fetch(_FINISH, events)
        return [Finished(**row) for row in rows]

    async def find_refusals(self, events: Sequence[str]) -> list[Refusal]:
        """The ledger's newest word on those of these events that have a command which it refused."""
        rows = await self._rows.fetch(_FIND_REFUSALS, events)
        return [Refusal(**row) for row in rows]

    async def list_alarms(self, most: int) -> list[str]:
        """Events that are not done, and why not is known."""
        return [row["id"] for row in await self._rows.fetch(_LIST_ALARMS, most)]

    async def measure(self) -> Figures:
        """How much there is to do."""
        (row,) = await self._rows.fetch(_MEASURE)
        return Figures(**row)

    async def forget_bodies(self, older_than: timedelta, most: int) -> int:
        """Forgets the bodies of some events that were done so long ago; answers how many."""
        return len(await self._rows.fetch(_FORGET_BODIES, older_than, most))

    async def close(self) -> None:
        """Ends the connection, if there is one."""
        await self._rows.close()


def _storable(reason: str | None) -> str | None:
    """What Stripe or the ledger said, as a text that PostgreSQL takes whatever it holds."""
    if reason is None:
        return None
    return reason[:_REASON_MAX].replace("\0", "").encode(errors="replace").decode()
