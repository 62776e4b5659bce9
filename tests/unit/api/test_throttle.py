"""The classes of requests that are counted, and the stand-in that counts none."""

from __future__ import annotations

from datetime import timedelta
from typing import get_args

from api.settings_abuse import AbuseSettings
from api.throttle.classes import ClassName, LimitClass, classes
from api.throttle.limiter import Charge, NoLimiter


def test_every_class_has_its_figure() -> None:
    made = classes(AbuseSettings())
    assert set(made) == set(get_args(ClassName))
    assert made["general"] == LimitClass("general", 100, timedelta(seconds=60))
    assert made["login"] == LimitClass("login", 30, timedelta(minutes=15))
    assert all(limit.name == name for name, limit in made.items())


async def test_the_stand_in_allows_all() -> None:
    charge = Charge(classes(AbuseSettings())["export"], b"subject")
    verdicts = [await NoLimiter().take(charge) for _ in range(5)]
    assert {(verdict.allowed, verdict.remaining, verdict.window) for verdict in verdicts} == {(True, 3, 86_400)}
