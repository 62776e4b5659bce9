"""The machine at work (``machine``): bounded in every run, and as long as patience lasts."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.property.machine import LedgerMachine
from tests.property.paying_machine import PayingMachine


class TestLedger(LedgerMachine.TestCase):
    """Bounded: a part of every test run."""

    settings = settings(settings.get_profile("ci"), max_examples=300, stateful_step_count=40)


class TestPaying(PayingMachine.TestCase):
    """Bounded: a part of every test run."""

    settings = settings(settings.get_profile("ci"), max_examples=120, stateful_step_count=15)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
class TestLedgerAtLength(LedgerMachine.TestCase):
    """As long as patience lasts; not derandomized, so that each run sees something new."""

    settings = settings(settings.get_profile("ci"), derandomize=False, max_examples=5_000, stateful_step_count=60)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
class TestPayingAtLength(PayingMachine.TestCase):
    """As long as patience lasts; each run sees something new."""

    settings = settings(settings.get_profile("ci"), derandomize=False, max_examples=2_000, stateful_step_count=30)
