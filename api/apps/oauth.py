"""The wire of OAuth 2.0 as far as apps meet it: forms, client credentials and errors (RFC 6749, RFC 7662)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, unquote_plus

import msgspec
from fastapi import Request
from starlette.responses import Response

from api.errors import Answered
from api.text import is_plain

FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"
_FIELDS_MAX: Final = 20
_NEVER_KEPT: Final = {"cache-control": "no-store", "pragma": "no-cache"}
_CHALLENGE: Final = {"www-authenticate": 'Basic realm="mana", charset="UTF-8"'}

OAuthCode = Literal[
    "invalid_request", "invalid_client", "unsupported_grant_type", "invalid_scope", "insufficient_scope"
]


@dataclass(frozen=True)
class ClientCredentials:
    """What an app says of itself: its id and one of its secrets."""

    app_id: str
    secret: str = field(repr=False)


def answer(content: Mapping[str, Any]) -> Response:
    """A success, which no cache may keep."""
    return Response(msgspec.json.encode(content), 200, _NEVER_KEPT, _JSON)


def refuse(code: OAuthCode, description: str) -> Answered:
    """An error of RFC 6749, 5.2, to be raised; one of RFC 6750, 3.1, where the app lacks a permission."""
    status, more = HTTPStatus.BAD_REQUEST, dict[str, str]()
    if code == "invalid_client":
        status, more = HTTPStatus.UNAUTHORIZED, _CHALLENGE
    elif code == "insufficient_scope":
        status = HTTPStatus.FORBIDDEN
    content = msgspec.json.encode({"error": code, "error_description": description})
    return Answered(Response(content, status, {**_NEVER_KEPT, **more}, _JSON))


def not_this_client() -> Answered:
    """The one answer to apps that are unknown or revoked, and to secrets that are wrong, revoked or missing."""
    return refuse("invalid_client", "the app's id or secret is not valid")


async def read_form(request: Request) -> dict[str, str]:
    """The form's fields; those without a value are left out (RFC 6749, 3.2). Raises ``Answered``."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != FORM:
        raise refuse("invalid_request", f"the body must be of type {FORM}")
    try:
        text = (await request.body()).decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS_MAX, errors="strict")
    except ValueError as error:
        raise refuse("invalid_request", "the body is no form in UTF-8") from error
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise refuse("invalid_request", "a field is given twice")
    if not all(map(is_plain, fields.values())):
        raise refuse("invalid_request", "a field holds the character NUL")
    return {name: value for name, value in fields.items() if value}


def credentials_of(request: Request, form: Mapping[str, str]) -> ClientCredentials:
    """The app's id and secret, by HTTP Basic or in the form (RFC 6749, 2.3.1). Raises ``Answered``."""
    shown = request.headers.getlist("authorization")
    if not shown:
        if "client_id" not in form or "client_secret" not in form:
            raise not_this_client()
        return ClientCredentials(form["client_id"], form["client_secret"])
    credentials = _basic(shown)
    if "client_secret" in form or form.get("client_id", credentials.app_id) != credentials.app_id:
        raise refuse("invalid_request", "the app proves itself in two ways: one is enough")
    return credentials


def _basic(headers: Sequence[str]) -> ClientCredentials:
    scheme, _, encoded = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme.lower() != "basic":
        raise not_this_client()
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
        app_id, secret = (unquote_plus(part, errors="strict") for part in (name, password))
    except (binascii.Error, ValueError) as error:
        raise not_this_client() from error
    if not colon or not is_plain(app_id + secret):
        raise not_this_client()
    return ClientCredentials(app_id, secret)
