"""Points in time as clients write them (RFC 3339)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

import msgspec

_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,30})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)  # msgspec alone would also take offsets without a colon, or none at all


def read_moment(value: object) -> datetime | None:
    """An RFC 3339 time in UTC, to the microsecond; ``None`` for anything else, a leap second among it."""
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        return None
    try:
        return in_utc(msgspec.convert(value, datetime))
    except msgspec.ValidationError:
        return None


def in_utc(moment: datetime) -> datetime | None:
    """The same instant in UTC; ``None`` where the calendar (years 1 to 9999) does not reach there."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None
