"""Text from clients: what may be kept, and what may be shown."""

from __future__ import annotations

import re
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, Field

_FORBIDDEN: Final = re.compile("[\x00\ud800-\udfff]")
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def is_plain(text: str) -> bool:
    """False for text with NUL or a lone surrogate, which neither PostgreSQL nor UTF-8 can hold."""
    return _FORBIDDEN.search(text) is None


def printable(text: str, length_max: int = 200) -> str:
    """The beginning of a text, with each control character and lone surrogate replaced: safe in answers and logs."""
    return _UNPRINTABLE.sub("\ufffd", text[:length_max])


def _plain(text: str) -> str:
    if not is_plain(text):
        raise ValueError("holds the character NUL or a lone surrogate")
    return text


def _one_line(text: str) -> str:
    if printable(text, len(text)) != text:
        raise ValueError("holds a control character or a lone surrogate")
    return text


OneLine: TypeAlias = Annotated[
    str, AfterValidator(_one_line), Field(json_schema_extra={"pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$"})
]
"""For pydantic models: text that can be shown as it is."""
PlainText: TypeAlias = Annotated[str, AfterValidator(_plain), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})]
"""For pydantic models: text that can be kept."""
