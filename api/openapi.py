"""The OpenAPI document, and a page that shows it without any help from the internet."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import msgspec
from fastapi import APIRouter, FastAPI, Response
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel
from starlette.responses import RedirectResponse

from api import problems_documented
from api.apps.documented import SECURITY_SCHEMES
from api.credits import documented
from api.payments import documented as payments_documented

_PAGE: Final = (Path(__file__).parent / "docs.html").read_bytes()
_POLICY: Final = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'"
_METHODS: Final = ("get", "post", "put", "patch", "delete")


TAGS: Final = [
    {"name": "auth", "description": "Registration, sign-in, tokens, sessions"},
    {"name": "me", "description": "What users see and change of themselves"},
    {"name": "passwords", "description": "Another password, and a forgotten one"},
    {"name": "e-mail addresses", "description": "Proving an address, and changing it"},
    {"name": "two-factor", "description": "The second factor, and a sign-in made recent again"},
    {"name": "API keys", "description": "Keys of users' own scripts"},
    {"name": "services", "description": "Apps: their tokens, and what they see of users"},
    {"name": "credits", "description": "Buying and spending credits, and what became of them"},
    {"name": "webhooks", "description": "For payment providers, who tell us what happened"},
    {"name": "admin", "description": "For administrators"},
    {"name": "operation", "description": "For whoever runs the service"},
]
"""The groups of routes, in the order in which they are shown."""


def operation_id(route: APIRoute) -> str:
    """What programs made from the document call the operation: its handler's name, which is the only one so named."""
    return to_camel(route.name)


class Documentation:
    """``/openapi.json`` and ``/docs``, at the root; the document is made when it is first asked for."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._document: bytes | None = None

    def router(self) -> APIRouter:
        """The two routes, and the root that leads there."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/openapi.json", self.document, methods=["GET"])
        router.add_api_route("/docs", self.page, methods=["GET"])
        router.add_api_route("/", self.front_door, methods=["GET"])
        return router

    async def front_door(self) -> Response:
        """Whoever comes without a path is shown the documentation."""
        return RedirectResponse("/docs", 307)

    async def document(self) -> Response:
        """OpenAPI 3.1."""
        if self._document is None:
            self._document = msgspec.json.encode(document_of(self._app))
        return Response(self._document, media_type="application/json")

    async def page(self) -> Response:
        """The same for people: it loads nothing but the document."""
        return Response(_PAGE, media_type="text/html; charset=utf-8", headers={"content-security-policy": _POLICY})


def document_of(app: FastAPI) -> dict[str, Any]:
    """The whole document of an application."""
    return complete(app.openapi())


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Adds the contract's own schemas, and takes out what the framework says of its errors, which are ours here."""
    components: dict[str, Any] = document.setdefault("components", {})
    components.setdefault("securitySchemes", {}).update(SECURITY_SCHEMES)
    schemas: dict[str, Any] = components.setdefault("schemas", {})
    schemas.update(documented.components() | payments_documented.components())
    schemas[problems_documented.SCHEMA_NAME] = problems_documented.SCHEMA
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path in document["paths"].values():
        for method in _METHODS:
            if method in path:
                _describe_answers(path[method])
                _summarise(path[method])
    return {name: _without_titles(part) if name != "info" else part for name, part in document.items()}


def _summarise(operation: dict[str, Any]) -> None:
    """What the handler says of itself: its first sentence is the summary, and the description is the rest."""
    first, *rest = re.split(r"\.(?:\s+|$)", operation.pop("description").strip(), maxsplit=1)
    operation["summary"] = " ".join(first.split())
    if rest and rest[0]:
        operation["description"] = rest[0]


def _without_titles(part: Any) -> Any:
    """The framework's are the fields' names once more, spoilt (``Deviceid``)."""
    if isinstance(part, dict):
        inner: dict[str, Any] = part
        return {
            name: _without_titles(value)
            for name, value in inner.items()
            if name != "title" or not isinstance(value, str)
        }
    if isinstance(part, list):
        return [_without_titles(value) for value in part]
    return part


def _describe_answers(operation: dict[str, Any]) -> None:
    """Every answer carries the request's id; the framework's own 422 becomes the problem document that it is."""
    for status, answer in operation["responses"].items():
        answer.setdefault("headers", {})["X-Request-Id"] = {"schema": {"type": "string"}}
        if status == "422":
            answer["content"] = problems_documented.answers("invalid_request")[422]["content"]
