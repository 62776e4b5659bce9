"""The page of the REST side, of the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ops.contract.examples import Examples
from ops.contract.forms import Json
from ops.contract.pages import errors, html, shapes

_PROBLEM: Final = "application/problem+json"


def page(document: Json, error_codes: Json) -> str:
    """Operations by their groups, error codes, schemas."""
    operations = list(_operations(document))
    groups = [(tag["name"], tag["description"]) for tag in document["tags"]]
    contents = html.listed([html.link(f"#{name}", html.prose(text)) for name, text in _anchored(groups)])
    sections = [
        part
        for (name, text), (anchor, _) in zip(groups, _anchored(groups), strict=True)
        for part in (
            html.heading(2, html.prose(text), anchor),
            *(_operation(*one, document) for one in operations if one[2]["tags"] == [name]),
        )
    ]
    return html.page(
        "Mana over REST",
        html.paragraph(document["info"]["description"]),
        html.made_of("openapi.json", "OpenAPI 3.1"),
        f"<nav>{contents}</nav>",
        *sections,
        *errors.section(error_codes, over_amqp=False),
        html.heading(2, "Schemas", "schemas"),
        *shapes.named(document["components"]["schemas"]),
    )


def _anchored(groups: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [("group-" + name.replace(" ", "-"), text) for name, text in groups]


def _operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _operation(method: str, path: str, operation: Json, document: Json) -> str:
    title = f"<strong>{method}</strong> {html.code(path)} {html.prose(operation['summary'])}"
    shown_by = [name for way in operation.get("security", []) for name in way]
    schemes: Json = document["components"].get("securitySchemes", {})
    needs = [f"Needs {html.prose(schemes[name].get('description') or name)} ({name})." for name in shown_by]
    return html.folded(
        title,
        html.paragraph(operation.get("description", "")),
        *(f"<p>{need}</p>" for need in needs),
        _parameters(operation),
        *_body(operation, document),
        *_answers(operation, document),
        anchor=operation["operationId"],
    )


def _parameters(operation: Json) -> str:
    rows = [
        (
            html.code(one["name"]),
            one["in"],
            shapes.kind(one.get("schema", True)),
            "yes" if one.get("required") else "",
            html.prose(one.get("description", "")),
        )
        for one in operation.get("parameters", [])
    ]
    return html.table(("parameter", "in", "type", "required", ""), rows)


def _body(operation: Json, document: Json) -> Iterator[str]:
    body: Json = operation.get("requestBody", {"content": {}})
    for kind, content in body["content"].items():
        yield f"<p>Body, {html.code(kind)}: {shapes.kind(content['schema'])}. For example:</p>"
        yield html.block(Examples(document).of(content["schema"]))


def _answers(operation: Json, document: Json) -> Iterator[str]:
    answers: Json = operation["responses"]
    yield html.table(
        ("answer", "", "body", "headers"),
        [
            (
                status,
                html.prose(answer["description"]),
                "<br>".join(_content(kind, part) for kind, part in answer.get("content", {}).items()),
                ", ".join(html.code(name) for name in answer.get("headers", {})),
            )
            for status, answer in answers.items()
        ],
    )
    for status, answer in answers.items():
        schema = answer.get("content", {}).get("application/json", {}).get("schema")
        if status.startswith("2") and schema:
            yield f"<p>An answer {status}, for example:</p>"
            yield html.block(Examples(document).of(schema))


def _content(kind: str, content: Json) -> str:
    """Problems differ in their code alone, which the description names."""
    if kind == _PROBLEM:
        return html.link(f"#{shapes.anchor('Problem')}", "Problem")
    return f"{html.code(kind)} {shapes.kind(content.get('schema', True))}"
