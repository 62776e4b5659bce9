"""Durations as settings write them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

_DURATION: Final = re.compile(r"\s*(?P<count>[0-9]{1,9})\s*(?P<unit>[smhd]?)\s*")
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_LONGEST: Final = timedelta(days=3_650)


def read_duration(value: object) -> timedelta:
    """Reads ``15m``, ``7d``, ``60 s`` or a number of seconds. Raises ``ValueError`` for anything else, and for zero."""
    match = _DURATION.fullmatch(str(value))
    if match is None or int(match["count"]) == 0:
        raise ValueError("is no duration such as 15m, 7d or 60s")
    read = timedelta(seconds=int(match["count"]) * _SECONDS[match["unit"]])
    if read > _LONGEST:
        raise ValueError("is a duration of more than ten years")
    return read
