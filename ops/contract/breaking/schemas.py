"""Compares two JSON Schemas (2020-12, as far as ours go): what of the old one does the new one break?

The question is always whether the *inner* schema fits into the *outer* one. Of what clients send the old one is the
inner; of what they receive the new one is. Fields are judged by rule and not as sets: a new optional field of what is
sent breaks nothing, and a new field of what is received neither, for subscribers skip what they do not know.

A keyword that is not known here counts as a break where it differs: it is for a person to look at.
"""

from __future__ import annotations

import json
from typing import Any, Final, Literal, NamedTuple

from ops.contract.forms import AT_LEAST, AT_MOST, OPEN, Form, Json, Schemas

Direction = Literal["sent", "received"]


class Break(NamedTuple):
    """Where (a JSON pointer into the document), and why."""

    pointer: str
    why: str


_JUDGED: Final = frozenset(
    {*AT_LEAST, *AT_MOST, "type", "const", "items", "properties", "required", "additionalProperties", OPEN}
)
_TYPES: Final[dict[type, tuple[str, ...]]] = {
    bool: ("boolean",),
    int: ("integer", "number"),
    float: ("number",),
    str: ("string",),
    list: ("array",),
    dict: ("object",),
    type(None): ("null",),
}


def breaks(old: Json, new: Json, direction: Direction) -> list[Break]:
    """What the new document breaks of the old one, each a schema as a whole."""
    return list(dict.fromkeys(Comparison(old, new, direction).schemas(old, new, "")))


class Comparison:
    """Two documents; their schemas may refer to each other's neighbours."""

    def __init__(self, old: Json, new: Json, direction: Direction) -> None:
        self._old, self._new = Schemas(old), Schemas(new)
        self._sent = direction == "sent"
        self._under_way: set[tuple[str, str]] = set()

    def schemas(self, old: Json | bool, new: Json | bool, pointer: str) -> list[Break]:
        """The breaks of one schema, which stands at that pointer in both documents."""
        before = self._old.forms(old, pointer, any_value=not self._sent)
        after = self._new.forms(new, pointer)
        inner, outer = (before, after) if self._sent else (after, before)
        return [found for form in inner for found in self._fits_one(form, outer, pointer)]

    def _fits_one(self, inner: Form, outer: list[Form], pointer: str) -> list[Break]:
        """The breaks against that of the alternatives to which it is the nearest."""
        named = [form for form in outer if inner.name and form.name == inner.name]
        likely = named or [form for form in outer if _may_meet(inner, form)]
        if not likely:
            what = _said(inner)
            return [Break(pointer, f"{what} is refused now" if self._sent else f"may be {what} now")]
        return min((self._pair(inner, form) for form in likely), key=len)

    def _pair(self, inner: Form, outer: Form) -> list[Break]:
        old, new = (inner, outer) if self._sent else (outer, inner)
        under_way = (old.pointer, new.pointer)
        if "const" in inner.keywords or under_way in self._under_way:
            return []
        self._under_way.add(under_way)
        try:
            return [*self._bounds(old, new), *self._others(old, new), *self._items(old, new), *self._fields(old, new)]
        finally:
            self._under_way.discard(under_way)

    def _bounds(self, old: Form, new: Form) -> list[Break]:
        narrower, wider = (new, old) if self._sent else (old, new)
        found: list[Break] = []
        for keyword in (*AT_LEAST, *AT_MOST):
            tight, loose = narrower.keywords.get(keyword), wider.keywords.get(keyword)
            if tight is None or (tight == 0 and keyword.startswith("min") and keyword != "minimum"):
                continue
            if loose is None or (tight > loose if keyword in AT_LEAST else tight < loose):
                found.append(self._changed(old, new, keyword))
        return found

    def _others(self, old: Form, new: Form) -> list[Break]:
        """Keywords that are the same, or no longer there where that only widens."""
        narrower, wider = (new, old) if self._sent else (old, new)
        return [
            self._changed(old, new, keyword)
            for keyword, value in narrower.keywords.items()
            if keyword not in _JUDGED and wider.keywords.get(keyword) != value
        ]

    def _changed(self, old: Form, new: Form, keyword: str) -> Break:
        was, now = (_shown(form.keywords.get(keyword)) for form in (old, new))
        meaning = "less is accepted" if self._sent else "more may come"
        return Break(f"{new.pointer}/{keyword}", f"{keyword} was {was} and is {now}: {meaning}")

    def _items(self, old: Form, new: Form) -> list[Break]:
        if "array" not in (old.type, new.type):
            return []
        return self.schemas(old.keywords.get("items", True), new.keywords.get("items", True), f"{new.pointer}/items")

    def _fields(self, old: Form, new: Form) -> list[Break]:
        if not {"object", None} & {old.type, new.type}:
            return []
        fields: tuple[Json, Json] = (old.keywords.get("properties", {}), new.keywords.get("properties", {}))
        before, after = fields
        found: list[Break] = []
        for name in before:
            pointer = f"{new.pointer}/properties/{token(name)}"
            if name in after:
                found += self.schemas(before[name], after[name], pointer)
            else:
                found.append(Break(pointer, "the field is gone"))
        return [*found, *self._required(old, new), *self._other_fields(old, new)]

    def _required(self, old: Form, new: Form) -> list[Break]:
        before, after = set(old.keywords.get("required", ())), set(new.keywords.get("required", ()))
        still = new.keywords.get("properties", {}).keys()
        names = sorted(after - before if self._sent else (before - after) & still)
        why = "is required now" if self._sent else "is no longer always there"
        return [Break(f"{new.pointer}/required", f"`{name}` {why}") for name in names]

    def _other_fields(self, old: Form, new: Form) -> list[Break]:
        """Of fields that are not named."""
        before, after = (form.keywords.get("additionalProperties", True) for form in (old, new))
        pointer = f"{new.pointer}/additionalProperties"
        if before is False or before == after:
            return []
        if after is False:
            return [Break(pointer, "fields that are not named are refused now")] if self._sent else []
        return self.schemas(before, after, pointer)


def _may_meet(inner: Form, outer: Form) -> bool:
    """Whether the second may hold the first, going by type and by fixed values."""
    if "const" in outer.keywords:
        return "const" in inner.keywords and _same(inner.keywords["const"], outer.keywords["const"])
    if outer.type is None:
        return True
    if "const" in inner.keywords:
        return outer.type in _TYPES[type(inner.keywords["const"])] and _within(inner.keywords["const"], outer)
    return inner.type == outer.type or (inner.type, outer.type) == ("integer", "number")


def _same(one: Any, other: Any) -> bool:
    """As JSON has it: 1 is not true."""
    return type(one) is type(other) and one == other


def _within(value: Any, form: Form) -> bool:
    """Whether a fixed value is within the form's bounds; patterns are not looked at."""
    keywords = form.keywords
    if isinstance(value, str):
        return keywords.get("minLength", 0) <= len(value) <= keywords.get("maxLength", len(value))
    if isinstance(value, int | float):
        return keywords.get("minimum", value) <= value <= keywords.get("maximum", value)
    return True


def _said(form: Form) -> str:
    if "const" in form.keywords:
        return f"`{json.dumps(form.keywords['const'], ensure_ascii=False)}`"
    return form.name or form.type or "anything"


def _shown(value: Any) -> str:
    """A keyword's value in a sentence."""
    return "not set" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


def token(name: str) -> str:
    """A field's name in a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")
