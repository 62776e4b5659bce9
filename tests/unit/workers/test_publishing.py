"""What must be kept is published until it is taken, and while it is not, readiness says so."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from workers.broker import publishing as module
from workers.broker.publisher import Publication, Verdict
from workers.broker.publishing import Publishing
from workers.readiness import problems
from workers.worker import Worker

DEAD_COPY = Publication("", "credits.dead", "m", b"", b"")
EVENT = Publication("credits.events", "credits.refused.chat", "e", b"", b"")
LOG_COPY = Publication("", "credits.events.log", "e", b"", b"")


class Scripted(Publishing):
    """Its broker answers as told, and in the end confirms."""

    connected = True  # type: ignore[assignment]

    def __init__(self, *verdicts: Verdict) -> None:
        super().__init__("amqp://x", "x")
        self._verdicts = list(verdicts)
        self.tried: list[str] = []
        self.seen: list[dict[str, int]] = []

    async def _once(self, message: Publication) -> Verdict:
        await asyncio.sleep(0)
        self.tried.append(message.routing_key)
        self.seen.append(self.refused)
        return self._verdicts.pop(0) if self._verdicts else Verdict.CONFIRMED


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE_SECONDS", (0.0001, 0.001))


def _problems(publishing: Publishing) -> dict[str, str]:
    link: Any = SimpleNamespace(connected=True, blocked=False)
    return problems(cast(Worker, SimpleNamespace(link=link, publishing=publishing, problems={}, term=None)))


@pytest.mark.parametrize("verdict", [Verdict.REFUSED, Verdict.UNROUTABLE])
async def test_a_queue_that_takes_nothing_is_told_until_it_takes_it(verdict: Verdict) -> None:
    publishing = Scripted(verdict, verdict, Verdict.LOST, verdict)
    await asyncio.gather(publishing.keep(DEAD_COPY), publishing.keep(DEAD_COPY))
    assert publishing.refused == {}
    assert max(seen.get("credits.dead", 0) for seen in publishing.seen) == 2
    assert "credits.dead" not in _problems(publishing)


async def test_readiness_names_it() -> None:
    publishing = Scripted(*[Verdict.REFUSED] * 10_000)
    keeping = asyncio.create_task(publishing.keep(DEAD_COPY))
    while not publishing.refused:
        await asyncio.sleep(0)
    assert "does not take 1 messages" in _problems(publishing)["credits.dead"]
    keeping.cancel()
    await asyncio.wait({keeping})
    assert publishing.refused == {}


async def test_what_has_another_way_takes_it_at_once() -> None:
    publishing = Scripted(Verdict.LOST, Verdict.REFUSED, Verdict.LOST)
    await publishing.keep(EVENT, LOG_COPY)
    assert publishing.tried == [EVENT.routing_key] * 2 + [LOG_COPY.routing_key] * 2
    assert publishing.seen == [{}] * 4


class _Link:
    """Its broker is blocked at the first look."""

    def __init__(self) -> None:
        self.looks = 0
        self.fifth = asyncio.Event()

    @property
    def blocked(self) -> bool:
        self.looks += 1
        if self.looks == 5:
            self.fifth.set()
        return self.looks == 1

    async def close(self) -> None:
        return


async def test_a_broker_that_was_blocked_has_its_time_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    link, opened = _Link(), list[str]()

    async def open_link(_url: str, name: str) -> _Link:
        opened.append(name)
        return link

    async def open_publisher(_: object) -> Any:
        return SimpleNamespace(link=link, lost=asyncio.Event(), overdue=lambda: 1e6)

    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.001)
    monkeypatch.setattr(module.Link, "open", open_link)
    monkeypatch.setattr(module.Publisher, "open", open_publisher)
    running = asyncio.create_task(Publishing("amqp://x", "x").run())
    await asyncio.wait_for(link.fifth.wait(), 5)
    running.cancel()
    await asyncio.wait({running})
    assert opened == ["x"]
