"""What counters are called."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from api.throttle.classes import ACCOUNT, DEVICE
from api.throttle.counters import CounterNames
from api.throttle.limiter import Charge
from tests.unit.api.throttle.subjects import FIVE, NAMES, five, two


def test_a_name_is_the_keys_the_classes_and_the_subjects() -> None:
    """[44]: and nobody can try out whose it is without the key."""
    same = five(b"192.0.2.1")
    others = (five(b"192.0.2.2"), two(b"192.0.2.1"), Charge(ACCOUNT, b"192.0.2.1"), Charge(DEVICE, b"192.0.2.1"))
    assert NAMES.of(same) == NAMES.of(five(b"192.0.2.1"))
    assert len({NAMES.of(same), *(NAMES.of(other) for other in others)}) == 5
    assert CounterNames(b"another key, of as many bytes").of(same) != NAMES.of(same)
    assert NAMES.of(same).startswith("mana:limit:login:")
    assert "192.0.2.1" not in NAMES.of(same)


def test_other_figures_begin_anew() -> None:
    """A limit that is raised is raised at once, whatever was used up of the old one."""
    raised = Charge(replace(FIVE, quota=50), b"192.0.2.1")
    longer = Charge(replace(FIVE, window=timedelta(hours=1)), b"192.0.2.1")
    assert len({NAMES.of(five(b"192.0.2.1")), NAMES.of(raised), NAMES.of(longer)}) == 3
