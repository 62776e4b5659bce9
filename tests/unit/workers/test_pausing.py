"""Goal: of all who are refused, only an app's own login that endangers a partition is paused, and told once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from contracts.apps import UNREGISTERED_PERMISSIONS, App
from contracts.permissions import Logins
from contracts.topology import ADMIN_LOGIN, FRONT_LOGIN, RELAY_LOGIN, WORKER_LOGIN
from workers.broker.errors import BrokerLostError
from workers.intake.flooding import AT_FIRST, BACKLOG_RISKY
from workers.intake.pausing import Pausing
from workers.ledger.faults import TryAgain
from workers.ledger.store.pauses import Pause, Pauses
from workers.meters import Meters

CHAT = App("chat", UNREGISTERED_PERMISSIONS)
LOGIN, BY_HAND = "chat.k3f9x0a2b7c1", "chat"


class Rows(Pauses):
    """The database's side: each answer is of the login that was asked for."""

    def __init__(self, *answers: Pause | TryAgain | None) -> None:
        super().__init__("postgresql://127.0.0.1/none", application_name="test")
        self.asked: list[str] = []
        self._answers = list(answers)

    async def pause(self, login: str, shortest: timedelta) -> Pause | None:
        self.asked.append(login)
        answer = self._answers.pop(0)
        if isinstance(answer, TryAgain):
            raise answer
        return answer


class Queue:
    """The broker's side: how many commands wait."""

    def __init__(self, *waiting: int | BrokerLostError) -> None:
        self.looked: list[int] = []
        self._waiting = list(waiting)

    async def waiting(self, partition: int) -> int:
        self.looked.append(partition)
        waiting = self._waiting.pop(0)
        if isinstance(waiting, BrokerLostError):
            raise waiting
        return waiting


class Flooding:
    """What runs, and what it said and counted."""

    def __init__(self, rows: Rows, queue: Queue) -> None:
        self.narrowed: list[str] = []
        self.registry = CollectorRegistry()
        self.logs: list[Any] = []
        self.pausing = Pausing(
            Logins(), rows, queue.waiting, lambda app, _: self.narrowed.append(app.id),
            shortest=timedelta(seconds=60), meters=Meters(self.registry),
        )  # fmt: skip

    async def flood(self, login: str | None, times: int = AT_FIRST * 3 // 2) -> None:
        """So many refusals at once, and all that comes of them; by default for one look, also on a slow machine."""
        for _ in range(times):
            self.pausing.refused(login, CHAT, 0.0, 7)
        for _ in range(10):  # nothing on its way waits for anything
            await asyncio.sleep(0)

    @property
    def events(self) -> list[str]:
        return [line["event"] for line in self.logs]


@asynccontextmanager
async def flooding(rows: Rows, queue: Queue) -> AsyncGenerator[Flooding]:
    there = Flooding(rows, queue)
    running = asyncio.create_task(there.pausing.run())
    with capture_logs() as logs:
        there.logs = logs
        yield there
    assert not running.done()
    running.cancel()


async def test_a_flood_beside_a_backlog_is_paused_and_counted_once() -> None:
    rows, queue = Rows(Pause(60.0, decided=True)), Queue(BACKLOG_RISKY)
    async with flooding(rows, queue) as there:
        await there.flood(LOGIN, 3 * AT_FIRST)
        assert (queue.looked, rows.asked, there.narrowed) == ([7], [LOGIN], ["chat"])
        assert there.registry.get_sample_value("mana_app_pauses_total", {"app": "chat"}) == 1
        assert there.events == ["an app floods: its login is paused"]


async def test_what_another_worker_has_decided_is_not_counted_again() -> None:
    rows, queue = Rows(Pause(60.0, decided=False)), Queue(BACKLOG_RISKY)
    async with flooding(rows, queue) as there:
        await there.flood(LOGIN, 3 * AT_FIRST)
        assert (rows.asked, there.narrowed, there.events) == ([LOGIN], ["chat"], [])
        assert there.registry.get_sample_value("mana_app_pauses_total", {"app": "chat"}) is None


async def test_without_a_backlog_nobody_is() -> None:
    rows, queue = Rows(), Queue(BACKLOG_RISKY - 1)
    async with flooding(rows, queue) as there:
        await there.flood(LOGIN)
        assert (queue.looked, rows.asked, there.events) == ([7], [], [])


@pytest.mark.parametrize("login", [FRONT_LOGIN, RELAY_LOGIN, WORKER_LOGIN, ADMIN_LOGIN, None])
async def test_our_own_logins_never_are(login: str | None) -> None:
    queue = Queue()
    async with flooding(Rows(), queue) as there:
        await there.flood(login, 3 * AT_FIRST)
        assert queue.looked == []


async def test_one_that_somebody_made_by_hand_is_told_and_left_alone() -> None:
    rows, queue = Rows(None), Queue(BACKLOG_RISKY)
    async with flooding(rows, queue) as there:
        await there.flood(BY_HAND, 3 * AT_FIRST)
        assert (rows.asked, there.narrowed) == ([BY_HAND], [])
        assert there.events == ["an app floods, and its login cannot be paused"]


async def test_where_it_cannot_be_asked_the_next_refusals_ask_again() -> None:
    rows = Rows(TryAgain("away"), Pause(60.0, decided=True))
    queue = Queue(BrokerLostError("away"), BACKLOG_RISKY, BACKLOG_RISKY)
    async with flooding(rows, queue) as there:
        for _ in range(3):
            await there.flood(LOGIN)
        assert there.events == 2 * ["a flood could not be looked into"] + ["an app floods: its login is paused"]
