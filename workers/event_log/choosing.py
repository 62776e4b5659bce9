"""What an operator means by a place in the log, or in the ledger. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from contracts.moments import read_time

_PLACE: Final = re.compile(r"([0-9]{1,4}):([0-9]{1,18})")
_WORDS: Final = frozenset({"first", "last", "next"})


class Place(NamedTuple):
    """A position in one partition of the ledger."""

    partition: int
    position: int


Since: TypeAlias = datetime | Place


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
