"""Which time a query for statistics of use means."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from api.credits.store import Period
from api.credits.usage_query import UsagePeriodError, UsageQuery

NOW = datetime(2026, 3, 31, 13, 37, 5, 9, tzinfo=UTC)


def _day(month: int, day: int, hour: int = 0, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "period"),
    [
        ({}, Period(_day(3, 2), _day(4, 1))),
        ({"groupBy": "hour"}, Period(_day(3, 2), _day(4, 1))),
        ({"from": "2026-03-31T13:00:00Z"}, Period(_day(3, 31, 13), _day(4, 1))),
        ({"to": "2026-02-01T00:00:00Z"}, Period(_day(1, 2), _day(2, 1))),
        ({"from": "2026-01-01T02:00:00+01:00", "to": "2026-01-01T02:00:00Z"}, Period(_day(1, 1, 1), _day(1, 1, 2))),
        ({"from": "2025-02-25T00:00:00Z"}, Period(_day(2, 25, year=2025), _day(4, 1))),
        ({"from": "2026-03-01T00:00:00Z", "groupBy": "hour"}, Period(_day(3, 1), _day(4, 1))),
    ],
)
def test_the_time_that_is_meant(asked: dict[str, Any], period: Period) -> None:
    assert UsageQuery(**asked).period(NOW) == period


@pytest.mark.parametrize(
    "asked",
    [
        {"from": "2026-04-01T00:00:00Z"},
        {"from": "2026-02-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"},
        {"from": "2026-02-02T00:00:00Z", "to": "2026-02-01T00:00:00Z"},
        {"from": "2025-02-24T23:00:00Z"},
        {"from": "2026-02-28T23:00:00Z", "groupBy": "hour"},
    ],
)
def test_no_period(asked: dict[str, Any]) -> None:
    with pytest.raises(UsagePeriodError):
        UsageQuery(**asked).period(NOW)


@pytest.mark.parametrize(
    "asked",
    [
        {"from": "2026-03-31T13:30:00Z"},
        {"from": "2026-03-31T13:00:00+05:30"},
        {"to": "2026-03-31T13:00:00.5Z"},
        {"to": "2026-03-31"},
        {"to": "2026-03-31T13:00:00"},
        {"to": "9999-12-31T23:00:00Z"},
        {"from": "0001-01-01T00:00:00Z"},
        {"groupBy": "user"},
        {"appId": "a b"},
        {"other": "1"},
    ],
)
def test_what_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        UsageQuery(**asked)
