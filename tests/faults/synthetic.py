"""A run that never was: a journal, rows and events that fit together, made by the plainest possible ledger."""

from __future__ import annotations

import uuid
from dataclasses import replace
from random import Random

import msgspec

from tests.faults.oracle import commands
from tests.faults.oracle.books import Account, Books, Row
from tests.faults.oracle.dead import DeadCopy
from tests.faults.oracle.equations import Evidence
from tests.faults.oracle.equations.order import EVENT_TYPES
from tests.faults.oracle.events import Event
from tests.faults.oracle.journal import JUDGING, Attempt, Class, Confirmed, Outcome, Phase, Told

POISON = "poison"
"""The message id of what the scenario put into ``credits.dead``."""


class World:
    """Attempts and what came of them, one after the other; each takes a second."""

    def __init__(self) -> None:
        self.told = Told()
        self.books = Books()
        self.events: list[Event] = []
        self._chance = Random(1)
        self._now = 1_000.0

    def attempt(self, user: str, key: str, op: str, amount: int | None = None, **changes: str) -> int:
        """A client sends a command, and the broker confirms it."""
        self._now += 1
        n = len(self.told.attempts) + 1
        fields = {"message_id": f"m{n}", "transport": "amqp", **changes}
        body = commands.body(op, user, key, amount, "chat", None)
        self.told.add(Attempt("run", n, user, key, op, amount, sent_at=self._now, body=body, **fields))
        if fields["transport"] != "rest":
            self.told.add(Confirmed(n, self._now))
        return n

    def done(self, n: int) -> Row:
        """The ledger makes a row of it, and its event goes out."""
        attempt = self.told.attempts[n]
        amount = commands.signed(attempt.op, attempt.amount if attempt.op != "open" else 150) or 0
        return self.row(attempt.user, attempt.key, commands.ROW_TYPES[attempt.op], amount)

    def row(self, user: str, key: str, type_: str, amount: int) -> Row:
        """A row of anybody's, with its event, and the account after it."""
        account = self.books.accounts.get(user) or Account(user, 0, 0, 0, 0, 0)
        held, sequence = account.balance + account.free, account.sequence + 1
        id_ = str(uuid.UUID(int=self._chance.getrandbits(128)))
        row = Row(user, key, id_, sequence, type_, amount, held, held + amount, 0, self._now + 0.1)
        self.books.rows.append(row)
        self.books.accounts[user] = Account(user, 0, held + amount, sequence, held + amount, held + amount)
        self.events.append(Event(id_, EVENT_TYPES[type_], user, sequence, id_, amount, visible=True))
        return row

    def acknowledge(self, n: int, row: Row | None, *, replayed: bool = False) -> None:
        """The client is told that it is done."""
        outcome = Outcome(n, "acknowledged", replayed=replayed, digest=f"done {row.id if row else 'without'}")
        if row is not None:
            outcome = msgspec.structs.replace(
                outcome,
                transaction_id=row.id,
                sequence=row.sequence,
                amount=row.amount,
                balance_before=row.balance_before,
                balance_after=row.balance_after,
            )
        self._hear(outcome)

    def refuse(self, n: int, code: str, cls: Class = "refused") -> None:
        """The client is told that nothing was done; the ledger keeps the refusal of what reached it."""
        attempt = self.told.attempts[n]
        if cls == "refused":
            self.books.refusals.add((attempt.user, attempt.key, attempt.message_id))
        else:
            self.told.confirmed.discard(n)
        self._hear(Outcome(n, cls, code, digest=f"no: {code}" if cls == "refused" else None))

    def silence(self, n: int) -> None:
        """The client has waited long enough."""
        self._hear(Outcome(n, "unknown", "timeout"))

    def use(self, user: str, key: str, amount: int) -> Row:
        """A use that is done and acknowledged."""
        n = self.attempt(user, key, "use", amount)
        row = self.done(n)
        self.acknowledge(n, row)
        return row

    def _hear(self, outcome: Outcome) -> None:
        self._now += 0.5
        self.told.add(msgspec.structs.replace(outcome, at=self._now))


def clean_run() -> Evidence:
    """Four users, and everything that may happen to a command while all is well."""
    world = World()
    for user in ("ann", "bob", "eve"):
        opening = world.attempt(user, "open", "open")
        row = world.done(opening)
        world.acknowledge(opening, row)
        world.acknowledge(world.attempt(user, "open again", "open"), row, replayed=True)
    _of_ann(world)
    _of_bob(world)
    _of_joe(world)
    quiet = replace(world.books, rows=list(world.books.rows), keys=set(world.books.keys))
    quiet.refusals, quiet.accounts = set(world.books.refusals), dict(world.books.accounts)
    world.told.add(Phase(JUDGING, 2_000.0))
    _asked_by_the_judge(world)
    seen = [*world.events[:8], *world.events[1:], Event("refusal", "credits.refused", "ann", None, None, None)]
    return Evidence(
        told=world.told,
        quiet=quiet,
        books=world.books,
        seen=seen,
        log=[msgspec.structs.replace(event, visible=None) for event in [*world.events[:9], *world.events]],
        dead=[DeadCopy(frozenset({POISON, "c1"}), "not JSON")],
        expected_dead=frozenset({POISON}),
        probes={0: 0.2, 1: 0.3},
    )


def _of_ann(world: World) -> None:
    """Uses, a repeat, a conflict, a refusal that is followed by success, REST, and no key at all."""
    first = world.use("ann", "first", 3)
    world.acknowledge(world.attempt("ann", "first", "use", 3), first, replayed=True)
    world.refuse(world.attempt("ann", "first", "use", 4), "idempotency_conflict")
    world.refuse(world.attempt("ann", "much", "use", 1_000), "insufficient_credits")
    grant = world.attempt("ann", "gift", "grant", 2_000)
    world.acknowledge(grant, world.done(grant))
    world.use("ann", "much", 1_000)
    poor_message = f"m{grant - 1}"
    world.refuse(world.attempt("ann", "much", "use", 1_000, message_id=poor_message), "insufficient_credits")
    world.refuse(world.attempt("ann", "poor", "use", 9_999), "insufficient_credits")
    world.refuse(world.attempt("ann", "full", "use", 1), "nacked", "not_accepted")
    rest = world.attempt("ann", "web", "use", 2, transport="rest", message_id="")
    world.silence(rest)
    world.acknowledge(rest, world.done(rest))
    world.acknowledge(world.attempt("ann", "", "balance"), None)
    world.use("ann", "last", 1)


def _of_joe(world: World) -> None:
    """An account without a bonus, opened twice: an answer is kept under the first key."""
    world.books.accounts["joe"] = Account("joe", 0, 0, 0, 0, 0)
    world.books.keys.add(("joe", "bare"))
    world.acknowledge(world.attempt("joe", "bare", "open"), None)
    world.acknowledge(world.attempt("joe", "bare again", "open"), None, replayed=True)


def _of_bob(world: World) -> None:
    """The day's credits, a refund, a correction, freezing, an answer that came late, and answers that never came."""
    world.row("bob", "daily:2026-01-02", "bonus", 5)
    world.use("bob", "chat", 7)
    refund = world.attempt("bob", "back", "refund")
    world.acknowledge(refund, world.row("bob", "back", "refund", 7))
    correction = world.attempt("bob", "fix", "adjust", -5)
    world.acknowledge(correction, world.done(correction))
    world.books.keys |= {("bob", "ice"), ("bob", "thaw")}
    world.acknowledge(world.attempt("bob", "ice", "freeze"), None)
    world.refuse(world.attempt("bob", "cold", "use", 1), "account_frozen")
    world.acknowledge(world.attempt("bob", "thaw", "unfreeze"), None)
    late = world.attempt("bob", "late", "use", 1)
    world.silence(late)
    world.acknowledge(late, world.done(late))
    world.silence(world.attempt("bob", "done unheard", "use", 2))
    world.done(len(world.told.attempts))
    lost = world.attempt("bob", "refused unheard", "use", 9_999)
    world.silence(lost)
    world.books.refusals.add(("bob", "refused unheard", f"m{lost}"))
    world.silence(world.attempt("bob", "never arrived", "use", 4))
    world.told.confirmed.discard(len(world.told.attempts))
    world.silence(world.attempt("bob", "misshapen", "use", 0))


def _asked_by_the_judge(world: World) -> None:
    def again(key: str, amount: int) -> int:
        return world.attempt("bob", key, "use", amount, transport="amqp:judge")

    (unheard,) = [row for row in world.books.rows if row.key == "done unheard"]
    world.acknowledge(again("done unheard", 2), unheard, replayed=True)
    world.refuse(again("done unheard", 3), "idempotency_conflict")
    world.refuse(again("refused unheard", 9_999), "insufficient_credits")
    arrived = again("never arrived", 4)
    world.acknowledge(arrived, world.done(arrived))
    world.refuse(again("misshapen", 0), "invalid_request")
    world.books.refusals.discard(("bob", "misshapen", world.told.attempts[len(world.told.attempts)].message_id))
