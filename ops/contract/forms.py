"""A schema taken apart into plain alternatives: no references, no unions, one type or one value each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

Json = dict[str, Any]

OPEN: Final = "x-open"
"""Stands beside an `enum` of what clients receive that may get more values without notice."""
AT_LEAST: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
AT_MOST: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_NOTHING_MORE: Final = frozenset(
    {"title", "description", "default", "examples", "example", "deprecated", "$id", "$schema", "$defs", "$comment"}
)
"""Keywords that bound nothing."""


@dataclass(frozen=True)
class Form:
    """One alternative: where it stands, the name that it is referred to by, and its keywords."""

    pointer: str
    name: str
    keywords: Json

    @property
    def type(self) -> str | None:
        """The JSON type; `None` where any may come."""
        return self.keywords.get("type")


class Schemas:
    """A document, and the schemas in it."""

    def __init__(self, document: Json) -> None:
        self._document = document

    def at(self, pointer: str) -> Any:
        """What that JSON pointer (RFC 6901) leads to. Raises `KeyError` where it leads nowhere."""
        found: Any = self._document
        for part in pointer.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            found = found[int(key)] if isinstance(found, list) else found[key]
        return found

    def forms(self, schema: Json | bool, pointer: str, *, any_value: bool = False) -> list[Form]:
        """The schema's alternatives. With `any_value`, an enum that is marked as open stands for its whole type."""
        if isinstance(schema, bool):
            return [Form(pointer, "", {})] if schema else []
        return [form for part in self._whole(schema, pointer) for form in _single(part, any_value)]

    def _whole(self, schema: Json, pointer: str) -> list[Form]:
        """Without references, `allOf` and unions."""
        own = {name: value for name, value in schema.items() if name not in _NOTHING_MORE}
        reference, every = own.pop("$ref", None), own.pop("allOf", [])
        choices = [(word, choice) for word in ("anyOf", "oneOf") for choice in enumerate(own.pop(word, []))]
        found = [Form(pointer, "", own)]
        if reference is not None:
            found = _each_with(self._whole(self.at(reference[1:]), reference[1:]), found)
            found = [Form(form.pointer, form.name or reference.rpartition("/")[2], form.keywords) for form in found]
        for index, part in enumerate(every):
            found = _each_with(found, self._whole(part, f"{pointer}/allOf/{index}"))
        if choices:
            several = [form for word, (i, part) in choices for form in self._whole(part, f"{pointer}/{word}/{i}")]
            found = _each_with(several, found)
        return found


def _each_with(forms: list[Form], others: list[Form]) -> list[Form]:
    pairs = [(form, other, _both(form.keywords, other.keywords)) for form in forms for other in others]
    return [Form(form.pointer, form.name or other.name, both) for form, other, both in pairs if both is not None]


def _both(one: Json, other: Json) -> Json | None:
    """What fits both; `None` where nothing does. Of two patterns the second counts: ours never meet."""
    joined = {**one, **other}
    types = [_types(part) for part in (one, other) if "type" in part]
    values = [_values(part) for part in (one, other) if "const" in part or "enum" in part]
    if len(types) == 2:
        joined["type"] = [kind for kind in types[0] if kind in types[1]]
    if len(values) == 2:
        joined.pop("const", None)
        joined["enum"] = [value for value in values[0] if value in values[1]]
    if joined.get("type") == [] or joined.get("enum") == []:
        return None
    for keyword in joined.keys() & one.keys() & other.keys():
        if keyword in AT_LEAST or keyword in AT_MOST:
            joined[keyword] = (max if keyword in AT_LEAST else min)(one[keyword], other[keyword])
    fields: tuple[Json, Json] = (one.get("properties", {}), other.get("properties", {}))
    both = {name: {"allOf": [fields[0][name], fields[1][name]]} for name in fields[0].keys() & fields[1].keys()}
    if fields[0] or fields[1]:
        joined["properties"] = {**fields[0], **fields[1], **both}
    if "required" in one and "required" in other:
        joined["required"] = sorted({*one["required"], *other["required"]})
    return joined


def _types(keywords: Json) -> list[str]:
    """An integer is a number too."""
    types = keywords["type"] if isinstance(keywords["type"], list) else [keywords["type"]]
    return ["integer", *types] if "number" in types and "integer" not in types else types


def _values(keywords: Json) -> list[Any]:
    return [keywords["const"]] if "const" in keywords else keywords["enum"]


def _single(form: Form, any_value: bool) -> list[Form]:
    """One form for each value of an enum, and for each type."""
    keywords = dict(form.keywords)
    is_open = keywords.pop(OPEN, False) and any_value
    if "const" in keywords:
        return [_with(form, {"const": keywords["const"]})]
    values = keywords.pop("enum", None)
    if values is not None and not is_open:
        return [_with(form, {"const": value}) for value in cast("list[Any]", values)]
    if is_open:
        keywords.setdefault("type", "string")
    types = keywords.get("type")
    if isinstance(types, list):
        return [_with(form, {**keywords, "type": kind}) for kind in cast("list[str]", types)]
    return [_with(form, keywords)]


def _with(form: Form, keywords: Json) -> Form:
    return Form(form.pointer, form.name, keywords)
