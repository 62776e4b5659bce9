"""Readiness: a part that hangs is named, and never drags along one that works."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from api import health
from api.health import Health


async def test_many_who_ask_at_once_hear_of_the_part_that_hangs_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS_MAX", 0.2)
    hangs, started = asyncio.Event(), 0

    async def works() -> None:
        pass

    async def hang() -> None:
        nonlocal started
        started += 1
        await hangs.wait()

    parts = Health({"quick": works, "slow": hang}, CollectorRegistry())
    answers = await asyncio.gather(*(parts.ready() for _ in range(50)))
    assert {answer.status_code for answer in answers} == {503}
    assert [msgspec.json.decode(answer.body)["details"]["failing"] for answer in answers] == [["slow"]] * 50
    assert started == 1
    hangs.set()
    await asyncio.sleep(0)
    assert (await parts.ready()).status_code == 200
