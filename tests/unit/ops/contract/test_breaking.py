"""Goal: each kind of break is found, with where and why, and nothing else is taken for one.

Tables of two schemas; then properties: over what Hypothesis draws, and over the schemas that are published.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from contracts import schemas as published
from ops.contract.breaking.schemas import Break, Direction, breaks
from ops.contract.examples import Examples

DIRECTIONS: tuple[Direction, ...] = ("sent", "received")
TEXT = {"type": "string"}
WHOLE = {"type": "integer"}
NOTHING = {"type": "null"}


def record(required: list[str] | None = None, **fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": required or []}


def named(**schemas: Any) -> dict[str, Any]:
    """A choice of schemas that are referred to."""
    choice = [{"$ref": f"#/$defs/{name}"} for name in schemas]
    return {"anyOf": choice, "$defs": schemas}


def of(keyword: str, value: Any, kind: str) -> dict[str, Any]:
    return {"type": kind, keyword: value}


# What narrows breaks who sends, and what widens breaks who receives: the schemas are given the narrow one first.
NARROW_AND_WIDE = [
    (of("minimum", 2, "integer"), of("minimum", 1, "integer"), "/minimum"),
    (of("minimum", 0, "integer"), WHOLE, "/minimum"),
    (of("exclusiveMinimum", 2, "number"), of("exclusiveMinimum", 1, "number"), "/exclusiveMinimum"),
    (of("maximum", 1, "integer"), of("maximum", 2, "integer"), "/maximum"),
    (of("maximum", 1, "integer"), WHOLE, "/maximum"),
    (of("exclusiveMaximum", 1, "number"), of("exclusiveMaximum", 2, "number"), "/exclusiveMaximum"),
    (of("minLength", 1, "string"), of("minLength", 0, "string"), "/minLength"),
    (of("maxLength", 1, "string"), TEXT, "/maxLength"),
    (of("minItems", 1, "array"), {"type": "array"}, "/minItems"),
    (of("maxItems", 1, "array"), of("maxItems", 2, "array"), "/maxItems"),
    (of("minProperties", 1, "object"), {"type": "object"}, "/minProperties"),
    (of("maxProperties", 1, "object"), {"type": "object"}, "/maxProperties"),
    (of("pattern", "^a$", "string"), TEXT, "/pattern"),
    (of("format", "uuid", "string"), TEXT, "/format"),
    (of("not", {"const": 0}, "integer"), WHOLE, "/not"),
    (of("uniqueItems", True, "array"), {"type": "array"}, "/uniqueItems"),
    (of("items", TEXT, "array"), {"type": "array", "items": {"type": ["string", "null"]}}, "/items"),
    (of("items", TEXT, "array"), {"type": "array"}, "/items"),
    (of("additionalProperties", TEXT, "object"), {"type": "object"}, "/additionalProperties"),
    (WHOLE, {"type": "number"}, ""),
    (TEXT, {"type": ["string", "null"]}, ""),
    (TEXT, {"anyOf": [TEXT, NOTHING]}, ""),
    (TEXT, {"oneOf": [NOTHING, TEXT]}, ""),
    (TEXT, {}, ""),
    (TEXT, True, ""),
    ({"const": "a"}, {"enum": ["a", "b"]}, ""),
    ({"enum": ["a", "b"]}, {"enum": ["a", "b", None]}, ""),
    ({"enum": ["a", "b"]}, TEXT, ""),
    ({"const": 1}, {"enum": [1, True]}, ""),
    ({"allOf": [TEXT, {"maxLength": 3}]}, TEXT, "/maxLength"),
    ({"allOf": [{"type": ["string", "null"]}, TEXT]}, {"type": ["string", "null"]}, ""),
    (record(a=TEXT), record(a={}), "/properties/a"),
    (
        record(a=record(b=of("maxLength", 1, "string"))),
        record(a=record(b=TEXT)),
        "/properties/a/properties/b/maxLength",
    ),
    (record(["a"], a=TEXT), record(a=TEXT), "/required"),
    (named(A=record(["a"], a=TEXT)), named(A=record(a=TEXT)), "/$defs/A/required"),
    (named(A=record(["a"], a=TEXT)), named(A=record(["a"], a=TEXT), B=NOTHING), ""),
]


@pytest.mark.parametrize(("narrow", "wide", "pointer"), NARROW_AND_WIDE, ids=json.dumps)
def test_narrower_breaks_who_sends_and_wider_breaks_who_receives(narrow: Any, wide: Any, pointer: str) -> None:
    assert breaks(narrow, wide, "sent") == []
    assert breaks(wide, narrow, "received") == []
    for found in (breaks(wide, narrow, "sent"), breaks(narrow, wide, "received")):
        assert {one.pointer for one in found} == {pointer}


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (TEXT, WHOLE),
        (of("pattern", "^a$", "string"), of("pattern", "^b$", "string")),
        (of("format", "date", "string"), of("format", "date-time", "string")),
        ({"const": "a"}, {"const": "b"}),
        (record(a=TEXT), record(b=TEXT)),
        (of("dependentRequired", {"a": ["b"]}, "object"), of("dependentRequired", {"a": ["c"]}, "object")),
    ],
)
def test_another_breaks_both(one: Any, other: Any, direction: Direction) -> None:
    assert breaks(one, other, direction) != []
    assert breaks(other, one, direction) != []


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_field_that_is_gone(direction: Direction) -> None:
    old, new = record(["a"], a=TEXT, b=TEXT), record(["a"], a=TEXT)
    assert breaks(old, new, direction) == [Break("/properties/b", "the field is gone")]
    assert breaks(record(["b"], b=TEXT), record(), direction) == [Break("/properties/b", "the field is gone")]


def test_words_of_a_break() -> None:
    narrow, wide = record(["a"], a=of("maximum", 1, "integer")), record(a=of("maximum", 2, "integer"))
    assert breaks(wide, narrow, "sent") == [
        Break("/properties/a/maximum", "maximum was `2` and is `1`: less is accepted"),
        Break("/required", "`a` is required now"),
    ]
    assert breaks(narrow, wide, "received") == [
        Break("/properties/a/maximum", "maximum was `1` and is `2`: more may come"),
        Break("/required", "`a` is no longer always there"),
    ]
    assert breaks({"enum": ["a", "b"]}, {"enum": ["a"]}, "sent") == [Break("", '`"b"` is refused now')]
    assert breaks({"enum": ["a"]}, {"enum": ["a", "b"]}, "received") == [Break("", 'may be `"b"` now')]
    assert breaks(named(A=TEXT, B=NOTHING), named(A=TEXT), "sent") == [Break("", "B is refused now")]


def test_fields_that_are_not_named() -> None:
    shut = record(a=TEXT) | {"additionalProperties": False}
    assert breaks(record(a=TEXT), shut, "sent") == [
        Break("/additionalProperties", "fields that are not named are refused now")
    ]
    assert breaks(shut, record(a=TEXT), "sent") == []
    assert breaks(shut, record(a=TEXT), "received") == []
    assert breaks(record(a=TEXT), shut, "received") == []


def test_an_open_enum_may_get_more_values() -> None:
    few, more = {"enum": ["a"], "x-open": True}, {"enum": ["a", "b"], "x-open": True}
    assert breaks(few, more, "received") == []
    assert breaks(few, {"type": "string"}, "received") == []
    assert breaks(few, {"enum": ["a", 1], "x-open": True}, "received") != []
    assert breaks(more, few, "sent") != []
    assert breaks({"enum": ["a"]}, more, "received") != []


def test_alternatives_of_a_name_are_held_to_their_own() -> None:
    """What a reply has lost is not excused by another reply's never having had it."""
    done, read = record(["balance", "transaction"], balance=TEXT, transaction=TEXT), record(["balance"], balance=TEXT)
    spoilt = record(["balance", "transaction"], balance=TEXT, transaction={"type": ["string", "null"]})
    assert breaks(named(Done=done, Read=read), named(Done=spoilt, Read=read), "received") == [
        Break("/$defs/Done/properties/transaction", "may be null now")
    ]


def test_words_for_people_and_the_order_change_nothing() -> None:
    old = record(["a", "b"], a=TEXT, b={"enum": [1, 2]})
    new = record(["b", "a"], b={"enum": [2, 1], "description": "x", "default": 1}, a={**TEXT, "title": "A"})
    for direction in DIRECTIONS:
        assert breaks(old, new, direction) == []


def test_a_schema_within_itself_ends() -> None:
    tree: dict[str, Any] = {
        "$ref": "#/$defs/Tree",
        "$defs": {"Tree": record(leaf=TEXT, branch={"$ref": "#/$defs/Tree"})},
    }
    spoilt = copy.deepcopy(tree)
    spoilt["$defs"]["Tree"]["properties"]["leaf"] = WHOLE
    assert breaks(tree, tree, "sent") == []
    assert [found.pointer for found in breaks(tree, spoilt, "sent")] == ["/$defs/Tree/properties/leaf"]


FILES = sorted(published.FOLDER.glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_published_schema_does_not_break_itself_but_everything_gone_does(path: Any) -> None:
    """Each field taken away, one after the other, is found in both directions."""
    schema = json.loads(path.read_text())
    for direction in DIRECTIONS:
        assert breaks(schema, schema, direction) == []
        for spoilt, pointer in without_a_field(schema):
            assert [found.pointer for found in breaks(schema, spoilt, direction)] == [pointer]


def without_a_field(schema: Any) -> Iterator[tuple[Any, str]]:
    for model, told in schema.get("$defs", {}).items():
        for name in told.get("properties", {}):
            spoilt = copy.deepcopy(schema)
            del spoilt["$defs"][model]["properties"][name]
            yield spoilt, f"/$defs/{model}/properties/{name}"


def bounded(kind: str, low: int, more: int) -> dict[str, Any]:
    least, most = ("minimum", "maximum") if kind == "integer" else ("minLength", "maxLength")
    return {"type": kind, least: low, most: low + more}


LEAVES = st.one_of(
    st.builds(bounded, st.sampled_from(["integer", "string"]), st.integers(0, 3), st.integers(0, 3)),
    st.lists(st.sampled_from(["a", "b", "c", 1, None]), min_size=1, unique=True).map(lambda values: {"enum": values}),
    st.lists(st.sampled_from(["string", "integer", "null", "boolean"]), min_size=1, unique=True).map(
        lambda t: {"type": t}
    ),
    st.just({}),
)


@st.composite
def records(draw: st.DrawFn, parts: st.SearchStrategy[Any]) -> dict[str, Any]:
    fields = draw(st.dictionaries(st.sampled_from("abcd"), parts, max_size=3))
    return record([name for name in fields if draw(st.booleans())], **fields)


def compound(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    arrays = st.fixed_dictionaries({"type": st.just("array"), "items": parts})
    return st.one_of(records(parts), arrays, st.fixed_dictionaries({"anyOf": st.lists(parts, min_size=1, max_size=2)}))


SCHEMAS = st.recursive(LEAVES, compound, max_leaves=6)


@given(SCHEMAS, st.sampled_from(DIRECTIONS))
def test_nothing_breaks_itself(schema: Any, direction: Direction) -> None:
    assert breaks(schema, copy.deepcopy(schema), direction) == []


@given(SCHEMAS, SCHEMAS, st.sampled_from(DIRECTIONS), st.data())
def test_one_more_optional_field_breaks_nothing(
    schema: Any, added: Any, direction: Direction, data: st.DataObject
) -> None:
    new = copy.deepcopy(schema)
    places = list(objects(new))
    if places:
        data.draw(st.sampled_from(places))["properties"]["new"] = added
    assert breaks(schema, new, direction) == []


def objects(schema: Any) -> Iterator[Any]:
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for part in schema.values():
            yield from objects(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from objects(part)


VALUES = st.recursive(
    st.sampled_from(["a", "b", "abcd", "", 0, 1, 3, 6, None, True, 1.5]),
    lambda parts: st.one_of(st.lists(parts, max_size=2), st.dictionaries(st.sampled_from("abcd"), parts, max_size=3)),
    max_leaves=4,
)


@given(SCHEMAS, SCHEMAS, st.lists(VALUES, min_size=10, max_size=20), st.data())
def test_what_was_accepted_is_accepted_still_where_nothing_breaks(
    drawn: Any, other: Any, values: list[Any], data: st.DataObject
) -> None:
    """Against a validator: one part of a schema becomes another. New fields are by rule no break, so none may come."""
    old = closed(drawn)
    new = copy.deepcopy(old)
    places = list(holders(new))
    if places:
        holder, key = data.draw(st.sampled_from(places))
        holder[key] = closed(other)
    if breaks(old, new, "sent") == []:
        was, now = Draft202012Validator(old), Draft202012Validator(new)
        values = [*values, Examples(old).of(old)]
        assert [value for value in values if was.is_valid(value) and not now.is_valid(value)] == []


def holders(schema: Any) -> Iterator[tuple[Any, Any]]:
    """Where the parts of a schema are kept."""
    for part in schema.get("properties", {}).values():
        yield from holders(part)
    for name in schema.get("properties", {}):
        yield schema["properties"], name
    if "items" in schema:
        yield schema, "items"
    for index, part in enumerate(schema.get("anyOf", [])):
        yield schema["anyOf"], index
        yield from holders(part)


def closed(schema: Any) -> Any:
    schema = copy.deepcopy(schema)
    for part in objects(schema):
        part["additionalProperties"] = False
    return schema
