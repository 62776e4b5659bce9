"""Goal: the model of daily credits is content with what is right, and with nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.faults.daily import breaches
from tests.faults.oracle.books import Row

_DAILY = 5


def _rows(*told: tuple[str, str, int, str]) -> list[Row]:
    """Of (type, key, amount, time) each."""
    return [
        Row(
            user="u",
            key=key,
            id=str(sequence),
            sequence=sequence,
            type=type_,
            amount=amount,
            balance_before=0,
            balance_after=0,
            partition=0,
            created_at=datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp(),
        )
        for sequence, (type_, key, amount, at) in enumerate(told, 1)
    ]


_OPENED = ("bonus", "open", 150, "2026-03-01T12:00:00")
_FIRST = ("bonus", "daily:2026-03-02", 5, "2026-03-02T00:00:01")
_SECOND = ("bonus", "daily:2026-03-03", 5, "2026-03-03T10:00:00")


def _use(at: str) -> tuple[str, str, int, str]:
    return "usage", at, -1, at


@pytest.mark.parametrize(
    "told",
    [
        (_OPENED, _use("2026-03-01T23:59:59")),
        (_OPENED, _FIRST, _use("2026-03-02T00:00:01"), _use("2026-03-02T23:59:59")),
        (_OPENED, ("bonus", "a gift", 9, "2026-03-02T08:00:00"), _FIRST, _SECOND, _use("2026-03-03T10:00:00")),
        (_OPENED, _FIRST, _use("2026-03-02T00:00:02"), _use("2026-03-01T23:59:58"), _use("2026-03-02T00:00:05")),
    ],
    ids=["opened", "next day", "two days", "the clock went back"],
)
def test_right(told: tuple[tuple[str, str, int, str], ...]) -> None:
    assert list(breaches(_rows(*told), _DAILY)) == []


@pytest.mark.parametrize(
    "told",
    [
        (_OPENED, ("bonus", "daily:2026-03-01", 5, "2026-03-01T13:00:00")),
        (_OPENED, _use("2026-03-02T00:00:00")),
        (_OPENED, _FIRST, _use("2026-03-03T00:00:00")),
        (_OPENED, _FIRST, _FIRST),
        (_OPENED, ("bonus", "daily:2026-03-02", 5, "2026-03-01T23:59:59")),
        (_OPENED, ("bonus", "daily:2026-03-02", 6, "2026-03-02T00:00:00")),
    ],
    ids=["on the day of opening", "none", "none on the second day", "twice", "too early", "too much"],
)
def test_wrong(told: tuple[tuple[str, str, int, str], ...]) -> None:
    assert len(list(breaches(_rows(*told), _DAILY))) == 1
