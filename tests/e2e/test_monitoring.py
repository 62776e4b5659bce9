"""An instance under load, as the Prometheus of `./mana up --monitoring` sees it."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from ops.instance import Instance, private
from tests.e2e.watching import Watching, eventually

pytestmark = pytest.mark.timeout(240)

PROCESSES = {"api", "relay", "clock", "mail", "apps", "payments", "worker-0", "worker-1", "usage"}


@pytest.fixture(scope="module")
def instance() -> Generator[Instance]:
    """Two workers, everything else once; asked each second."""
    with private(
        name="monitored",
        workers=2,
        partitions=8,
        with_stand_in=True,
        monitored=True,
        environment={"MONITORING_INTERVAL": "1s"},
    ) as running:
        yield running


@pytest.fixture(scope="module")
def watching(instance: Instance) -> Watching:
    return Watching(instance.env["MANA_PROMETHEUS_URL"])


def test_every_process_and_the_broker_are_asked_and_answer(watching: Watching) -> None:
    eventually(lambda: watching.answering() == PROCESSES | {"rabbitmq", "prometheus"})
