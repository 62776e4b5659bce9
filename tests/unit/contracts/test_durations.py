"""Goal: durations are read in each unit, and nothing else is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contracts.durations import read_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("15m", 900), ("7d", 604_800), ("60 s", 60), ("90", 90), ("2h", 7_200), (" 1 m ", 60)]
)
def test_durations(text: str, seconds: int) -> None:
    assert read_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "m", "1.5h", "-1s", "1w", "0", "99999999999999d", "999999999d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        read_duration(text)
