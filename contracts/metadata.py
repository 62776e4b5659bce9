"""A command's ``metadata``: any JSON object of a bounded size, kept as it was written but for the space in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Raw

from contracts.errors import FieldError
from contracts.fields import METADATA_BYTES_MAX, METADATA_DEPTH_MAX
from contracts.text import ESCAPED_NUL, text_problem, texts_in

_FIELD: Final = "metadata"
_TEXT: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_decode: Final = msgspec.json.Decoder(Any).decode


def metadata_problem(raw: Raw) -> FieldError | None:
    """What is wrong with it; ``None`` for an object that may be kept, and for ``null``."""
    written = bytes(raw)
    try:
        value = _decode(written)
    except RecursionError:
        return _too_deep()
    except ValueError:  # bytes that are no UTF-8, lone surrogates, numbers beyond a double
        return FieldError(_FIELD, "holds text or a number that JSON readers do not agree on")
    if value is None:
        return None
    if not isinstance(value, dict):
        return FieldError(_FIELD, "is not an object")
    return _bounds_problem(written, value)


def compact(raw: Raw) -> bytes:
    """A JSON value without the space between its parts, its text in UTF-8 without needless escapes.

    Numbers stay as they were written. Raises ``msgspec.DecodeError`` for what is no JSON.
    """
    squeezed = msgspec.json.format(bytes(raw), indent=-1)
    return _TEXT.sub(_unescaped, squeezed) if b"\\" in squeezed else squeezed


def _unescaped(text: re.Match[bytes]) -> bytes:
    return json.dumps(json.loads(text[0]), ensure_ascii=False).encode()


def _bounds_problem(written: bytes, value: dict[str, Any]) -> FieldError | None:
    if len(written) > METADATA_DEPTH_MAX and _depth(value) > METADATA_DEPTH_MAX:
        return _too_deep()
    if ESCAPED_NUL in written:
        for text in texts_in(value):
            if problem := text_problem(_FIELD, text):
                return problem
    if len(written) > METADATA_BYTES_MAX and len(compact(Raw(written))) > METADATA_BYTES_MAX:
        return FieldError(_FIELD, f"is longer than {METADATA_BYTES_MAX} bytes")
    return None


def _too_deep() -> FieldError:
    return FieldError(_FIELD, f"is nested deeper than {METADATA_DEPTH_MAX} levels")


def _depth(value: Any) -> int:
    """Levels of nesting, found without recursion."""
    depth, level = 0, [value]
    while level := [part for part in level if isinstance(part, dict | list)]:
        depth += 1
        level = [member for container in level for member in _members(container)]
    return depth


def _members(container: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return container.values() if isinstance(container, dict) else container
