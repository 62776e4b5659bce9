"""What an operator means by a place in the log, or in the ledger. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from contracts.durations import read_duration
from contracts.moments import read_moment

_AGE: Final = re.compile(r"[0-9]+[smhd]")
_PLACE: Final = re.compile(r"([0-9]{1,4}):([0-9]{1,18})")
_WORDS: Final = frozenset({"first", "last", "next"})


class Place(NamedTuple):
    """A position in one partition of the ledger."""

    partition: int
    position: int


Since: TypeAlias = datetime | Place


def read_time(text: str, now: datetime) -> datetime:
    """An RFC 3339 time, or an age such as ``1h``. Raises ``ValueError``."""
    if _AGE.fullmatch(text):
        return now - read_duration(text)
    moment = read_moment(text)
    if moment is None:
        raise ValueError("is no RFC 3339 time such as 2027-01-31T12:00:00Z, and no age such as 1h")
    return moment


def read_offset(text: str, now: datetime) -> int | str | datetime:
    """``first``, ``last``, ``next``, a number, or a time. Raises ``ValueError``."""
    if text in _WORDS:
        return text
    if text.isascii() and text.isdigit():
        return int(text)
    return read_time(text, now)


def read_since(text: str, now: datetime) -> Since:
    """``PARTITION:POSITION`` or a time. Raises ``ValueError``."""
    place = _PLACE.fullmatch(text)
    return Place(int(place[1]), int(place[2])) if place else read_time(text, now)
