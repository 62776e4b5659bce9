"""Points in time as clients and operators write them (RFC 3339)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

import msgspec

from contracts.durations import read_duration

_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,30})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)  # msgspec alone would also take offsets without a colon, or none at all

_AGE: Final = re.compile(r"[0-9]+[smhd]")


def read_moment(value: object) -> datetime | None:
    """An RFC 3339 time in UTC, to the microsecond; ``None`` for anything else, a leap second among it."""
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        return None
    try:
        return in_utc(msgspec.convert(value, datetime))
    except msgspec.ValidationError:
        return None


def read_time(text: str, now: datetime) -> datetime:
    """An RFC 3339 time, or an age such as ``1h``. Raises ``ValueError``."""
    if _AGE.fullmatch(text):
        return now - read_duration(text)
    moment = read_moment(text)
    if moment is None:
        raise ValueError("is no RFC 3339 time such as 2027-01-31T12:00:00Z, and no age such as 1h")
    return moment


def in_utc(moment: datetime) -> datetime | None:
    """The same instant in UTC; ``None`` where the calendar (years 1 to 9999) does not reach there."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None
