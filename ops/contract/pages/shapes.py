"""Schemas as tables of fields."""

from __future__ import annotations

import json
from typing import Any, Final

from ops.contract.forms import OPEN, Json
from ops.contract.pages import html

_BOUNDS: Final = (
    ("minimum", "at least {}"),
    ("maximum", "at most {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minItems", "at least {} items"),
    ("maxItems", "at most {} items"),
)
_KEYWORDS_SHOWN_ELSEWHERE: Final = frozenset({"description", "default"})


def anchor(name: str) -> str:
    """Of a named schema."""
    return f"schema-{name}"


def kind(schema: Json | bool) -> str:
    """A schema's type in a line, with its bounds."""
    if isinstance(schema, bool) or not schema.keys() - _KEYWORDS_SHOWN_ELSEWHERE:
        return "anything"
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return html.link(f"#{anchor(name)}", name)
    for word, between in (("anyOf", " or "), ("oneOf", " or "), ("allOf", " and ")):
        if word in schema:
            return between.join(kind(part) for part in schema[word])
    if "const" in schema:
        return html.code(json.dumps(schema["const"], ensure_ascii=False))
    if "enum" in schema:
        values = ", ".join(html.code(json.dumps(value, ensure_ascii=False)) for value in schema["enum"])
        return f"one of {values}" + (" (more may come)" if schema.get(OPEN) else "")
    return ", ".join([_type(schema), *_bounds(schema)])


def fields(schema: Json) -> str:
    """The table of an object's fields; the type where it is no object."""
    properties: dict[str, Json] = schema.get("properties", {})
    if not properties:
        return f"<p>{kind(schema)}</p>"
    required: list[str] = schema.get("required", [])
    rows = [
        (html.code(name), kind(part), "yes" if name in required else "", _told(part))
        for name, part in properties.items()
    ]
    return html.table(("field", "type", "required", ""), rows)


def named(schemas: dict[str, Json]) -> list[str]:
    """A section for each schema, which references lead to."""
    return [
        html.folded(html.code(name), html.paragraph(schema.get("description", "")), fields(schema), anchor=anchor(name))
        for name, schema in sorted(schemas.items())
    ]


def _type(schema: Json) -> str:
    types: Any = schema.get("type", "object" if "properties" in schema else "anything")
    words = types if isinstance(types, list) else [types]
    return " or ".join(_one_type(str(word), schema) for word in words)


def _one_type(word: str, schema: Json) -> str:
    if word == "array":
        return f"array of {kind(schema.get('items', True))}"
    inner = schema.get("additionalProperties")
    if word == "object" and isinstance(inner, dict):
        return f"object of {kind(inner)}"
    return word


def _bounds(schema: Json) -> list[str]:
    said = [words.format(schema[name]) for name, words in _BOUNDS if name in schema]
    if "format" in schema:
        said.insert(0, str(schema["format"]))
    if "pattern" in schema:
        said.append(html.code(schema["pattern"]))
    if "not" in schema:
        said.append(f"not {kind(schema['not'])}")
    return said


def _told(schema: Json) -> str:
    told = [html.prose(str(schema["description"]))] if "description" in schema else []
    if schema.get("default") is not None:
        told.append(f"default {html.code(json.dumps(schema['default'], ensure_ascii=False))}")
    return "; ".join(told)
