"""The users of a run: opened by commands like everything else, and their balances read the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import uuid_utils

from bench.caller import Caller
from bench.calls import Call, balance_of
from contracts.commands import Grant, Open, ReadBalance
from contracts.replies import Balance, ReplyView, as_json

GRANT_MAX: Final = 1_000_000_000
PLENTY: Final = 10_000_000
"""Far more than a benchmark can use: no command may be refused."""
_IN_FLIGHT: Final = 512


def new_users(count: int) -> list[str]:
    """Ids that nobody had before."""
    return [str(uuid_utils.uuid7()) for _ in range(count)]


async def furnish(url: str, users: list[str], run: str) -> None:
    """Opens the accounts, with plenty of credits each, by a worker that is running. Raises ``BenchError``."""
    async with Caller(url, _IN_FLIGHT) as caller:
        await open_accounts(caller, users, run)
        await grant(caller, users, run, PLENTY)


async def open_accounts(
    caller: Caller, users: list[str], run: str, on_opened: Callable[[], None] = lambda: None
) -> None:
    """Opens an account, with its signup bonus, for each. Raises ``BenchError`` where one is refused."""

    def opened(call: Call, reply: ReplyView) -> None:
        balance_of(call, reply)
        on_opened()

    await caller.run(_opens(users, run), opened)


async def grant(caller: Caller, users: list[str], run: str, credits_each: int) -> None:
    """Gives each user free credits, so that a benchmark never meets an empty account."""
    await caller.run(_grants(users, run, credits_each), _must_succeed)


async def read_balances(caller: Caller, users: list[str]) -> list[Balance]:
    """Each user's balance behind all commands sent before, in the order of ``users``."""
    found: dict[int, Balance] = {}

    def keep(call: Call, reply: ReplyView) -> None:
        found[call.number] = balance_of(call, reply)

    await caller.run(_reads(users), keep)
    return [found[number] for number in range(len(users))]


def _opens(users: list[str], run: str) -> Iterator[Call]:
    for number, user in enumerate(users):
        command = Open(user_id=user, idempotency_key=f"{run}:open")
        yield Call(number, command.type, user, as_json(command))


def _grants(users: list[str], run: str, credits_each: int) -> Iterator[Call]:
    for number, user in enumerate(users):
        command = Grant(
            user_id=user,
            idempotency_key=f"{run}:grant",
            amount=min(credits_each, GRANT_MAX),
            description="credits for a benchmark",
            source="bonus",
        )
        yield Call(number, command.type, user, as_json(command))


def _reads(users: list[str]) -> Iterator[Call]:
    for number, user in enumerate(users):
        command = ReadBalance(user_id=user)
        yield Call(number, command.type, user, as_json(command))


def _must_succeed(call: Call, reply: ReplyView) -> None:
    balance_of(call, reply)
