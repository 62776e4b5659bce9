"""While RabbitMQ is away Stripe is told to come again; nothing of what happened meanwhile is lost."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from tests.faults.tools.telling import until
from tests.payments.playing import Play
from tests.payments.stage import Stage
from tests.payments.stories import customers

PURCHASES = 8


@pytest.fixture
async def telling(stage: Stage) -> AsyncGenerator[Stage]:
    """The stand-in tells the front itself what happens, and again after a fifth of a second and more."""
    await stage.seller.remote.switch(retry_seconds=0.2, retry_most_seconds=1.0)
    await stage.listen(enabled=True)
    yield stage
    await stage.listen(enabled=False)


async def test_everything_arrives_by_the_retries_of_stripe(telling: Stage) -> None:
    play, people = Play(telling, seed=7, hurried=True), customers(random.Random(7), PURCHASES, used=False)
    await play.begin(people)
    async with telling.broker.stopped():
        await play.happen(1, people)
        await play.happen(2, people)
        happened = {event["id"] for event, _ in await play.news()}
    deliveries = list[dict[str, Any]]()

    async def delivered() -> bool:
        deliveries[:] = await telling.seller.remote.deliveries()
        return {one["state"] for one in deliveries} == {"delivered"}

    await until(delivered, "Stripe's retries were taken", 60)
    assert {one["event"] for one in deliveries} == happened
    first, last = (Counter(one["answers"][place].get("status") for one in deliveries) for place in (0, -1))
    assert first[503] > 0
    assert last == {200: len(happened)}
    play.played.told.events |= happened
    await play.worked_off()
    played = await play.judged()
    assert not played.complaints, str(played)
