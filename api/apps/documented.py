"""What OpenAPI says of the routes of services, and of those that services and keys may use beside users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from api.apps.oauth import FORM
from api.paths import BASE
from contracts.apps import MEANINGS

BY_SECRET: Final[list[dict[str, Any]]] = [{"appSecret": []}, {}]
"""The second one is no proof but the form's, which is the body's to describe."""
KEYS_BESIDE_USERS: Final[list[dict[str, Any]]] = [{"apiKey": []}]
"""Of a route that users' keys may use as well; the framework puts users before them."""
BESIDE_USERS: Final[list[dict[str, Any]]] = [*KEYS_BESIDE_USERS, {"service": []}]
"""Of a route that services may use besides."""
SECURITY_SCHEMES: Final[dict[str, Any]] = {
    "appSecret": {
        "type": "http",
        "scheme": "basic",
        "description": "an app's id, and one of its secrets; or `client_id` and `client_secret` in the form",
    },
    "apiKey": {"type": "http", "scheme": "bearer", "description": "key of POST /auth/api-keys"},
    "service": {
        "type": "oauth2",
        "description": "access_token of POST /auth/token",
        "flows": {
            "clientCredentials": {"tokenUrl": f"{BASE}/auth/token", "scopes": MEANINGS},
        },
    },
}
_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["error", "error_description"],
    "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
}
_TOKEN: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["access_token", "token_type", "expires_in", "scope"],
    "properties": {
        "access_token": {"type": "string"},
        "token_type": {"type": "string", "const": "Bearer"},
        "expires_in": {"type": "integer", "description": "seconds"},
        "scope": {"type": "string", "description": "permissions, parted by spaces"},
    },
}
_INTROSPECTION: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["active"],
    "properties": {
        "active": {"type": "boolean"},
        "token_type": {"type": "string", "const": "Bearer"},
        "sub": {"type": "string", "description": "the user's id, or the app's"},
        "scope": {"type": "string"},
        "client_id": {"type": "string"},
        "username": {"type": "string"},
        "email": {"type": "string"},
        "role": {"type": "string", "enum": ["user", "admin", "service"]},
        "sid": {"type": "string"},
        "iss": {"type": "string"},
        "aud": {"type": "string"},
        "jti": {"type": "string"},
        "iat": {"type": "integer"},
        "exp": {"type": "integer"},
    },
}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    headers = {"Cache-Control": {"schema": {"type": "string"}}}
    return {"description": description, "headers": headers, "content": {"application/json": {"schema": schema}}}


def _unproven() -> dict[str, Any]:
    told = _json("Unauthorized: `invalid_client`", _ERROR)
    return {**told, "headers": {**told["headers"], "WWW-Authenticate": {"schema": {"type": "string"}}}}


def _form(required: list[str], fields: Mapping[str, str]) -> dict[str, Any]:
    described = {name: {"type": "string", "description": told} for name, told in fields.items()}
    schema = {"type": "object", "required": required, "properties": described}
    return {"required": True, "content": {FORM: {"schema": schema}}}


_CLIENT: Final = {"client_id": "the app's id, without HTTP Basic", "client_secret": "one of its secrets, likewise"}
_WANTED: Final = {"grant_type": "`client_credentials`", "scope": "permissions, parted by spaces; all without it"}
_SHOWN: Final = {"token": "what is to be explained", "token_type_hint": "is ignored"}
TOKEN_FORM: Final = _form(["grant_type"], _WANTED | _CLIENT)
INTROSPECTION_FORM: Final = _form(["token"], _SHOWN | _CLIENT)
TOKEN_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: _json("OK", _TOKEN),
    400: _json("Bad Request: `invalid_request`, `unsupported_grant_type`, `invalid_scope`", _ERROR),
    401: _unproven(),
}
INTROSPECTION_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: _json("OK", _INTROSPECTION),
    400: _json("Bad Request: `invalid_request`", _ERROR),
    401: _unproven(),
    403: _json("Forbidden: `insufficient_scope`", _ERROR),
}
