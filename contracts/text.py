"""Which text may be kept and passed on: any Unicode but NUL, which PostgreSQL cannot hold, and lone surrogates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from contracts.errors import FieldError

ESCAPED_NUL: Final = b"\\u0000"
"""The only way in which JSON can hold the character NUL."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SHOWN_MAX: Final = 200


def text_problem(field: str, text: str) -> FieldError | None:
    """What is wrong with a text; ``None`` where it may be kept."""
    if "\0" in text:
        return FieldError(field, "holds the character NUL")
    if not text.isascii() and _SURROGATE.search(text):
        return FieldError(field, "holds a lone surrogate")
    return None


def printable(text: str) -> str:
    """Text of a client's, fit to be shown back: at most 200 characters, what may not be kept replaced by U+FFFD."""
    return _SURROGATE.sub("\ufffd", text[:_SHOWN_MAX].replace("\0", "\ufffd"))


def texts_in(value: Any) -> Iterator[str]:
    """Every text inside a JSON value, names of members included; without recursion, however deep it is."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict):
            members: dict[str, Any] = part
            yield from members
            waiting.extend(members.values())
        elif isinstance(part, list):
            waiting.extend(part)
