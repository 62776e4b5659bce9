"""What is wrong with a value, in the same words wherever it is found: after the field's name they make a sentence."""

from __future__ import annotations

import re
from typing import Final

KINDS: Final = {
    "str": "must be a string",
    "int": "must be a whole number",
    "bool": "must be true or false",
    "datetime": "must be a time of RFC 3339",
}
"""By the name of the type in Python."""
_KIND: Final = re.compile(r"Expected `(\w+)(?: \| null)?`, got .*")
_BOUND: Final = re.compile(r"Expected `\w+(?: \| null)?` (of length )?([<>]=) (-?\d+)")
_ALLOWED: Final = re.compile(r"Invalid enum value .*", re.DOTALL)
_OTHERS: Final = {
    "Invalid RFC3339 encoded datetime": KINDS["datetime"],
    "Expected `datetime` with a timezone component": "is a time without its offset from UTC",
}


def at_least(bound: float | str) -> str:
    """Of a number that is too small."""
    return f"must be at least {bound}"


def at_most(bound: float | str) -> str:
    """Of a number that is too large."""
    return f"must be at most {bound}"


def longer(characters: int) -> str:
    """Of a text that is too short."""
    return "must not be empty" if characters == 1 else f"must have at least {characters} characters"


def shorter(characters: int) -> str:
    """Of a text that is too long."""
    return f"must have at most {characters} characters"


def one_of(*allowed: str) -> str:
    """Of a text that is none of the few that are allowed."""
    *first, last = allowed
    return f"must be {', '.join(first)} or {last}" if first else f"must be {last}"


def of_msgspec(complaint: str, *allowed: str) -> str:
    """What msgspec complains of, in words of ours; ``allowed`` are the values of a field that has only a few.

    What is not known here stays as msgspec says it.
    """
    if (kind := _KIND.fullmatch(complaint)) and kind[1] in KINDS:
        return KINDS[kind[1]]
    if bound := _BOUND.fullmatch(complaint):
        length, sign, figure = bound.groups()
        if length:
            return longer(int(figure)) if sign == ">=" else shorter(int(figure))
        return at_least(figure) if sign == ">=" else at_most(figure)
    if allowed and _ALLOWED.fullmatch(complaint):
        return one_of(*allowed)
    return _OTHERS.get(complaint, complaint)
