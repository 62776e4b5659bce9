"""Carries out what events were translated to: commands are sent, and what has come of each event is written down."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from workers.payments import pauses
from workers.payments.alarms import alarm
from workers.payments.meters import AlarmKind, PaymentsMeters
from workers.payments.model import Commands, Ignored, Refused
from workers.payments.sending import Sending
from workers.payments.store import Claimed, EventStore, Step
from workers.payments.watching import Watching


class Later(Struct, frozen=True):
    """Nothing can be said of it yet, through no fault of its own."""


class Stuck(Struct, frozen=True):
    """Somebody has to look before anything can come of it."""

    kind: AlarmKind
    reason: str


Verdict = Commands | Ignored | Refused | Later | Stuck


class Telling:
    """Tells the ledger. Repeats do no harm: they are the same commands under the same keys."""

    def __init__(self, store: EventStore, sending: Sending, watching: Watching, meters: PaymentsMeters) -> None:
        self._store = store
        self._sending = sending
        self._watching = watching
        self._meters = meters

    async def tell(self, verdicts: Sequence[tuple[Claimed, Verdict]]) -> None:
        """Sends, and writes what has come of each. Raises ``Fault``: then they are due again when their lease ends."""
        told = [(event, verdict) for event, verdict in verdicts if isinstance(verdict, Commands)]
        confirmed = await self._sending.send([commands for _, commands in told])
        steps = [
            _sent(event, commands) if taken else _held_up(event, commands)
            for (event, commands), taken in zip(told, confirmed, strict=True)
        ]
        steps += [_without_commands(event, verdict) for event, verdict in verdicts if not isinstance(verdict, Commands)]
        for finished in await self._store.take(steps) if steps else []:
            self._meters.finished(finished)
        self._raise_alarms(verdicts, steps)
        self._watch(steps)

    def _watch(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if step.tried:
                self._watching.watch([step.id], step.pause)

    def _raise_alarms(self, verdicts: Sequence[tuple[Claimed, Verdict]], steps: Sequence[Step]) -> None:
        for event, verdict in verdicts:
            if isinstance(verdict, Refused):
                alarm(self._meters, "refused", event.id, verdict.reason)
            elif isinstance(verdict, Stuck):
                alarm(self._meters, verdict.kind, event.id, verdict.reason)
        for step in steps:
            if step.tried and step.reason is not None:
                alarm(self._meters, "unanswered", step.id, step.reason)


def _sent(event: Claimed, commands: Commands) -> Step:
    """After so many sendings its commands are somewhere else than in the ledger: as a copy in ``credits.dead``."""
    overdue = event.tries >= pauses.TRIES_MAX
    keys = tuple(command.idempotency_key for command in commands.commands)
    unsaid = overdue and not event.alarmed
    return Step(
        id=event.id,
        account_id=commands.account_id,
        keys=keys,
        tried=True,
        reason=f"sent {event.tries} times, and the ledger does not hold all of {', '.join(keys)}" if unsaid else None,
        pause=pauses.ALARMED if overdue else pauses.pause_after(event.tries + 1),
    )


def _held_up(event: Claimed, commands: Commands) -> Step:
    """The broker did not take all of them; some may be on their way."""
    keys = tuple(command.idempotency_key for command in commands.commands)
    return Step(id=event.id, account_id=commands.account_id, keys=keys, pause=pauses.HELD_UP)


def _without_commands(event: Claimed, verdict: Ignored | Refused | Later | Stuck) -> Step:
    match verdict:
        case Ignored():
            return Step(id=event.id, outcome="ignored", reason=verdict.reason)
        case Refused():
            return Step(id=event.id, outcome="refused", reason=verdict.reason)
        case Later():
            return Step(id=event.id, pause=pauses.HELD_UP)
        case Stuck():
            return Step(id=event.id, reason=verdict.reason, pause=pauses.ALARMED)
