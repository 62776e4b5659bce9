"""What the framework finds wrong with a request, in the words of the whole interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from contracts import wording

_PREFIX: Final = "Value error, "
"""Pydantic's, before what our own checks say."""
_AS_IT_IS: Final = {
    "extra_forbidden": "is not known",
    "missing": "is required",
    "uuid_parsing": "must be a UUID",
    "uuid_type": "must be a UUID",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
    "list_type": "must be an array",
    "string_type": wording.KINDS["str"],
    "string_unicode": "holds a lone surrogate",
    "int_type": wording.KINDS["int"],
    "int_parsing": wording.KINDS["int"],
    "int_parsing_size": "has too many digits",
    "int_from_float": wording.KINDS["int"],
    "bool_type": wording.KINDS["bool"],
    "bool_parsing": wording.KINDS["bool"],
}


def of_pydantic(entry: Mapping[str, Any]) -> str:
    """One of pydantic's errors, in words of ours. What is not known here stays as pydantic says it."""
    kind, bounds = entry["type"], entry.get("ctx", {})
    match kind:
        case "greater_than_equal":
            return wording.at_least(bounds["ge"])
        case "less_than_equal":
            return wording.at_most(bounds["le"])
        case "string_too_short" | "too_short":
            return wording.longer(bounds["min_length"])
        case "string_too_long" | "too_long":
            return wording.shorter(bounds["max_length"])
        case "literal_error" | "enum":
            return f"must be {bounds['expected'].replace(chr(39), '')}"
        case _:
            return _AS_IT_IS.get(kind) or str(entry["msg"]).removeprefix(_PREFIX)
