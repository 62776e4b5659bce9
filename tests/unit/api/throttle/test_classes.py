"""The classes of requests and attempts that are counted."""

from __future__ import annotations

from datetime import timedelta
from typing import get_args

from api.setting_fields import Rate
from api.settings_abuse import AbuseSettings
from api.throttle.classes import ClassName, LimitClass, classes


def test_every_class_has_its_figure() -> None:
    made = classes(AbuseSettings())
    assert set(made) == set(get_args(ClassName))
    assert made["general"] == LimitClass("general", 100, timedelta(seconds=60))
    assert made["login"] == LimitClass("login", 30, timedelta(minutes=15))
    assert made["login_under_pressure"] == LimitClass("login_under_pressure", 5, timedelta(minutes=15))
    assert all(limit.name == name for name, limit in made.items())


def test_under_pressure_something_is_left() -> None:
    made = classes(AbuseSettings().model_copy(update={"rate_limit_login": Rate(2, timedelta(minutes=1))}))
    assert made["login_under_pressure"].quota == 1
