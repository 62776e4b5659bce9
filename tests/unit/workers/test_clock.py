"""The clock: everybody with expired lots is woken, nobody again and again, and one full queue holds up nobody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from workers.broker.errors import BrokerLostError, NotAcceptedError
from workers.clock import clock as module
from workers.clock.clock import Clock
from workers.ledger.store.expired import ExpiredLot

USERS = [f"user-{number}" for number in range(7)]


class Ledger:
    """Expired lots that nobody posts: as while no worker is there."""

    def __init__(self, users: list[str]) -> None:
        self.lots = [ExpiredLot(user, f"{number:02}", "2026-01-01") for number, user in enumerate(users)]

    async def read(self, limit: int, after: ExpiredLot | None) -> list[ExpiredLot]:
        start = 0 if after is None else self.lots.index(after) + 1
        return self.lots[start : start + limit]


def _take(_user_id: str) -> None:
    """Every command."""


class Queues:
    """Takes commands; ``refuse`` says what becomes of a user's."""

    def __init__(self, refuse: Callable[[str], None] = _take) -> None:
        self.refuse = refuse
        self.sent: list[str] = []

    async def send(self, _name: str, user_id: str, _body: bytes) -> None:
        self.refuse(user_id)
        self.sent.append(user_id)


def _clock(queues: Queues, users: list[str] = USERS) -> Clock:
    return Clock(Ledger(users).read, queues.send, CollectorRegistry())


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOTS_AT_ONCE", 2)


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 7])
async def test_a_round_reaches_everybody(number: int) -> None:
    queues = Queues()
    await _clock(queues, USERS[:number]).round()
    assert queues.sent == USERS[:number]


async def test_nobody_is_woken_again_too_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    queues = Queues()
    clock = _clock(queues, [*USERS, *USERS])
    for _ in range(3):
        await clock.round()
    assert queues.sent == USERS
    monkeypatch.setattr(module, "QUIET_SECONDS", 0.0)
    await clock.round()
    assert queues.sent == [*USERS, *USERS]


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED_MAX", 3)
    queues = Queues()
    clock = _clock(queues)
    await clock.round()
    assert queues.sent == USERS
    await clock.round()
    assert queues.sent == [*USERS, *USERS]  # the longest remembered are forgotten first, and wake one another


async def test_a_full_queue_holds_up_nobody_else() -> None:
    def refuse(user_id: str) -> None:
        if user_id == "user-0":
            raise NotAcceptedError("full")

    queues = Queues(refuse)
    clock = _clock(queues)
    assert await clock.round() == module.ROUND_SECONDS
    assert queues.sent == USERS[1:]
    assert clock.problems() == {"rabbitmq": "full"}
    queues.refuse = _take
    await clock.round()
    assert queues.sent == [*USERS[1:], "user-0"]
    assert clock.problems() == {}


async def test_a_lost_broker_ends_the_round_and_who_was_woken_is_remembered() -> None:
    def refuse(user_id: str) -> None:
        if user_id == "user-3":
            raise BrokerLostError("gone")

    queues = Queues(refuse)
    clock = _clock(queues)
    assert await clock.round() < module.ROUND_SECONDS
    assert queues.sent == USERS[:3]
    queues.refuse = _take
    await clock.round()
    assert queues.sent == USERS
