"""Goal: what breaks programs that were written against an earlier OpenAPI document is found, and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from ops.contract import documents
from ops.contract.breaking.rest import breaks
from ops.contract.breaking.schemas import Break

Change = Callable[[dict[str, Any]], Any]
TEXT = {"schema": {"type": "string"}}
USE = "/paths/~1use~1{id}/post"


def document() -> dict[str, Any]:
    """One operation that has everything, and one that has nothing."""
    body = {"type": "object", "properties": {"amount": {"type": "integer", "maximum": 9}}, "required": ["amount"]}
    answer = {"type": "object", "properties": {"left": {"type": "integer"}}, "required": ["left"]}
    use = {
        "operationId": "use",
        "security": [{"bearer": ["a"]}],
        "parameters": [{"name": "page", "in": "query", **TEXT}],
        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Body"}}}},
        "responses": {
            "200": {
                "description": "",
                "headers": {"Location": TEXT},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Answer"}}},
            },
            "404": {"description": "", "content": {"application/problem+json": {"schema": {"type": "object"}}}},
        },
    }
    path = {"parameters": [{"name": "id", "in": "path", "required": True, **TEXT}], "post": use}
    bare = {"operationId": "bare", "responses": {"204": {"description": ""}}}
    return {
        "paths": {"/use/{id}": path, "/bare": {"get": bare}},
        "components": {"schemas": {"Body": body, "Answer": answer}},
    }


def use(changed: dict[str, Any]) -> dict[str, Any]:
    return changed["paths"]["/use/{id}"]["post"]


def bare(changed: dict[str, Any]) -> dict[str, Any]:
    return changed["paths"]["/bare"]["get"]


def schema(changed: dict[str, Any], name: str) -> dict[str, Any]:
    return changed["components"]["schemas"][name]


REQUIRED = {"name": "X-New", "in": "header", "required": True, **TEXT}
OPTIONAL = {**REQUIRED, "required": False}
BROKEN: dict[str, tuple[Change, Break]] = {
    "path gone": (lambda d: d["paths"].pop("/bare"), Break("/paths/~1bare/get", "the operation is gone")),
    "method gone": (lambda d: d["paths"]["/use/{id}"].pop("post"), Break(USE, "the operation is gone")),
    "renamed": (
        lambda d: use(d).update(operationId="spend"),
        Break(f"{USE}/operationId", "was use and is spend: programs made from it call it so"),
    ),
    "sign-in needed": (
        lambda d: bare(d).update(security=[{"bearer": []}]),
        Break("/paths/~1bare/get/security", "what was enough to be let in is so no longer"),
    ),
    "another scope": (
        lambda d: use(d).update(security=[{"bearer": ["b"]}]),
        Break(f"{USE}/security", "what was enough to be let in is so no longer"),
    ),
    "parameter gone": (
        lambda d: use(d)["parameters"].clear(),
        Break(f"{USE}/parameters", "`page` in query is gone"),
    ),
    "parameter required": (
        lambda d: use(d)["parameters"][0].update(required=True),
        Break(f"{USE}/parameters/0/required", "`page` in query is required now"),
    ),
    "parameter narrower": (
        lambda d: use(d)["parameters"][0].update(schema={"type": "string", "maxLength": 3}),
        Break(f"{USE}/parameters/0/schema/maxLength", "maxLength was not set and is `3`: less is accepted"),
    ),
    "new required parameter": (
        lambda d: use(d)["parameters"].append(REQUIRED),
        Break(f"{USE}/parameters/1", "`X-New` in header is new and required"),
    ),
    "body refused": (
        lambda d: use(d).pop("requestBody"),
        Break(f"{USE}/requestBody", "no body is accepted any more"),
    ),
    "body required": (
        lambda d: use(d)["requestBody"].update(required=True),
        Break(f"{USE}/requestBody/required", "a body is required now"),
    ),
    "new required body": (
        lambda d: bare(d).update(requestBody={"required": True, "content": {}}),
        Break("/paths/~1bare/get/requestBody", "a body is required now"),
    ),
    "another type of body": (
        lambda d: use(d)["requestBody"].update(content={"text/plain": TEXT}),
        Break(f"{USE}/requestBody/content/application~1json", "this type of content is refused now"),
    ),
    "new required field": (
        lambda d: schema(d, "Body").update(required=["amount", "appId"]),
        Break("/components/schemas/Body/required", "`appId` is required now"),
    ),
    "narrower field": (
        lambda d: schema(d, "Body")["properties"]["amount"].update(maximum=8),
        Break("/components/schemas/Body/properties/amount/maximum", "maximum was `9` and is `8`: less is accepted"),
    ),
    "answer's field gone": (
        lambda d: schema(d, "Answer")["properties"].clear(),
        Break("/components/schemas/Answer/properties/left", "the field is gone"),
    ),
    "answer's field not always there": (
        lambda d: schema(d, "Answer").update(required=[]),
        Break("/components/schemas/Answer/required", "`left` is no longer always there"),
    ),
    "wider answer": (
        lambda d: schema(d, "Answer")["properties"]["left"].update(type=["integer", "null"]),
        Break("/components/schemas/Answer/properties/left", "may be null now"),
    ),
    "another type of answer": (
        lambda d: use(d)["responses"]["200"]["content"].update({"text/plain": TEXT}),
        Break(f"{USE}/responses/200/content/text~1plain", "this type of content may come now"),
    ),
    "header gone": (
        lambda d: use(d)["responses"]["200"]["headers"].clear(),
        Break(f"{USE}/responses/200/headers/Location", "the header is gone"),
    ),
    "new success": (
        lambda d: use(d)["responses"].update({"202": {"description": ""}}),
        Break(f"{USE}/responses/202", "this answer may come now"),
    ),
    "success gone": (
        lambda d: bare(d)["responses"].clear(),
        Break("/paths/~1bare/get/responses/204", "this answer never comes any more"),
    ),
}
HARMLESS: dict[str, Change] = {
    "nothing": lambda d: None,
    "new path": lambda d: d["paths"].update({"/new": d["paths"]["/bare"]}),
    "new optional parameter": lambda d: use(d)["parameters"].insert(0, OPTIONAL),
    "new optional field": lambda d: schema(d, "Body")["properties"].update(note={"type": "string"}),
    "wider field": lambda d: schema(d, "Body")["properties"]["amount"].update(maximum=10),
    "required no longer": lambda d: schema(d, "Body").update(required=[]),
    "new field of an answer": lambda d: schema(d, "Answer")["properties"].update(more={"type": "string"}),
    "narrower answer": lambda d: schema(d, "Answer")["properties"]["left"].update(minimum=0),
    "new error": lambda d: use(d)["responses"].update({"409": {"description": ""}}),
    "error gone": lambda d: use(d)["responses"].pop("404"),
    "another way in": lambda d: use(d).update(security=[{"key": []}, {"bearer": ["a"]}]),
    "sign-in no longer needed": lambda d: use(d).pop("security"),
    "optional body": lambda d: bare(d).update(requestBody={"content": {}}),
    "words": lambda d: use(d).update(summary="x", tags=["y"]),
    "path's parameter moved into the operation": lambda d: use(d)["parameters"].extend(
        d["paths"]["/use/{id}"].pop("parameters")
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_break_is_found(name: str) -> None:
    change, expected = BROKEN[name]
    changed = document()
    change(changed)
    assert breaks(document(), changed) == [expected]


@pytest.mark.parametrize("name", HARMLESS)
def test_what_breaks_nothing(name: str) -> None:
    changed = document()
    HARMLESS[name](changed)
    assert breaks(document(), changed) == []


def test_the_published_document_does_not_break_itself_but_each_operation_gone_does() -> None:
    published = json.loads((documents.FOLDER / "openapi.json").read_text())
    assert breaks(published, copy.deepcopy(published)) == []
    spoilt = {**published, "paths": {}}
    operations = [method for methods in published["paths"].values() for method in methods]
    assert [found.why for found in breaks(published, spoilt)] == ["the operation is gone"] * len(operations)
