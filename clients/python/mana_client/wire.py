"""JSON as the ledger can keep it: bounded, without the character NUL and lone surrogates."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from mana_client.errors import invalid_argument

METADATA_BYTES_MAX: Final = 8 * 1024
METADATA_DEPTH_MAX: Final = 100
_ESCAPED_NUL: Final = b"\\u0000"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_to_json: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def encoded(value: dict[str, Any], field: str) -> bytes:
    """As compact JSON. Raises ``InvalidRequest`` naming the field where that cannot be."""
    try:
        return _to_json(value).encode()
    except UnicodeEncodeError as error:
        raise invalid_argument(field, "holds a lone surrogate") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise invalid_argument(field, f"cannot be written as JSON: {error}") from error


def text(value: str, field: str, length_max: int) -> str:
    """Text that is there, and not too long."""
    if not 0 < len(value) <= length_max:
        raise invalid_argument(field, f"must have 1 to {length_max} characters")
    if problem := _problem(value):
        raise invalid_argument(field, problem)
    return value


def metadata(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Any JSON object of a bounded size."""
    if value is None:
        return None
    found = dict(value)
    written = encoded(found, "metadata")
    if len(written) > METADATA_BYTES_MAX:
        raise invalid_argument("metadata", f"is longer than {METADATA_BYTES_MAX} bytes")
    if (len(written) > METADATA_DEPTH_MAX or _ESCAPED_NUL in written) and (problem := _problem_inside(found)):
        raise invalid_argument("metadata", problem)
    return found


def _problem(value: str) -> str | None:
    if "\0" in value:
        return "holds the character NUL"
    return "holds a lone surrogate" if not value.isascii() and _SURROGATE.search(value) else None


def _problem_inside(value: Any) -> str | None:
    """What is wrong with any part of it: looked at level by level, since it may be deep."""
    depth, level = 0, [value]
    while level:
        depth += any(isinstance(part, dict | list | tuple) for part in level)
        if depth > METADATA_DEPTH_MAX:
            return f"is nested deeper than {METADATA_DEPTH_MAX} levels"
        for part in level:
            if isinstance(part, str) and (problem := _problem(part)):
                return problem
        level = [member for part in level for member in _members(part)]
    return None


def _members(part: Any) -> Iterable[Any]:
    if isinstance(part, dict):
        members = cast("dict[Any, Any]", part)
        return [*members.keys(), *members.values()]
    return cast("Iterable[Any]", part) if isinstance(part, list | tuple) else ()
