"""A replay from its first account to its last balance."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Protocol

from bench.accounts import new_users, open_accounts, read_balances
from bench.books import read_books
from bench.caller import Caller
from bench.calls import APP, Call, Sendings
from bench.environment import Addresses
from bench.replay.accounting import Accounting, Credits, Tally
from bench.replay.trace import Request
from contracts.commands import Use
from contracts.replies import ReplyView, as_json

IN_FLIGHT: Final = 512
"""Requests without an answer at full speed."""
IN_FLIGHT_PACED: Final = 10_000
"""The same when the trace's own times say when to send: a bound for memory only."""

_CHOICE_SEED: Final = 500
_SKEW: Final = 0.5
"""User number n of the run is chosen with a weight of n^-0.5: a few are busy, most are not."""


class Watcher(Protocol):
    """Hears how far it is."""

    def begin(self, step: str, total: int) -> None:
        """A new step of so many commands."""
        ...

    def advance(self) -> None:
        """One more is answered."""
        ...


@dataclass(frozen=True)
class Outcome:
    """A finished replay: its accounting, what it took, and how long the charging was, in seconds."""

    accounting: Accounting
    sendings: Sendings
    seconds: float


async def replay(requests: list[Request], users: int, speed: float | None, where: Addresses, watch: Watcher) -> Outcome:
    """Charges the requests to ``users`` new users; ``speed`` as in `Options`.

    Raises ``BrokerError`` or ``BenchError`` where it cannot be brought to its end.
    """
    run = f"replay-{secrets.token_hex(6)}"
    who = new_users(users)
    async with Caller(where.amqp, IN_FLIGHT if speed is None else IN_FLIGHT_PACED) as caller:
        watch.begin("opening accounts", users)
        await open_accounts(caller, who, run, watch.advance)
        before = Credits.of(await read_balances(caller, who))
        tally, sendings, seconds = await _charge(caller, requests, commands(requests, who, run, speed), watch)
        after = Credits.of(await read_balances(caller, who))
    books = None if where.database is None else await read_books(where.database, who)
    asked = sum(request.credits for request in requests)
    return Outcome(Accounting(len(requests), asked, tally, before, after, books), sendings, seconds)


def choose_users(users: list[str], requests: int) -> list[str]:
    """Whose each request is: the same places for the same numbers, in every run."""
    weights = list(accumulate((number + 1) ** -_SKEW for number in range(len(users))))
    return random.Random(_CHOICE_SEED).choices(users, cum_weights=weights, k=requests)


def commands(requests: list[Request], users: list[str], run: str, speed: float | None) -> Iterator[Call]:
    """The requests as commands; keys are made from the run and the line in the file."""
    owners = choose_users(users, len(requests))
    for number, (request, owner) in enumerate(zip(requests, owners, strict=True)):
        command = Use(
            user_id=owner,
            idempotency_key=f"{run}:{request.line}",
            amount=request.credits,
            app_id=APP,
            description="LLM request",
        )
        due = 0.0 if speed is None else request.at / speed
        yield Call(number, command.type, owner, as_json(command), due)


async def _charge(
    caller: Caller, requests: list[Request], calls: Iterator[Call], watch: Watcher
) -> tuple[Tally, Sendings, float]:
    tally = Tally()
    watch.begin("charging requests", len(requests))

    def take(call: Call, reply: ReplyView) -> None:
        tally.take(requests[call.number].credits, reply)
        watch.advance()

    start = time.monotonic()
    sendings = await caller.run(calls, take)
    return tally, sendings, time.monotonic() - start
