"""Everything at once: as many deliveries as the front takes, while whoever works on them dies."""

from __future__ import annotations

import pytest

from tests.payments.playing import Play
from tests.payments.stage import Stage

EVENTS, DELIVERIES = 4_000, 10_000


@pytest.mark.slow
@pytest.mark.timeout(1_800)
async def test_each_purchase_is_credited_once(stage: Stage) -> None:
    nemesis = [
        (0.1, stage.kill_payments),
        (0.2, stage.kill_broker),
        (0.3, stage.kill_database),
        (0.45, stage.kill_payments),
        (0.6, stage.kill_broker),
        (0.7, stage.kill_database),
        (0.8, stage.kill_payments),
    ]
    played = await Play(stage, seed=33, within=300).flood(EVENTS, DELIVERIES, nemesis)
    print(played)
    assert not played.complaints, str(played)
    assert played.events >= EVENTS
    assert played.told.deliveries == DELIVERIES
    assert played.told.answers[503] > 0
