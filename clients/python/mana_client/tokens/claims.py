"""What an access token says, once its signature and its times are good."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from mana_client.errors import InvalidToken

SERVICE: Final = "service"
_UUID: Final = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class UserToken:
    """A user's token. ``role`` is ``user`` or ``admin``; ``session_id`` is the sign-in that it comes from."""

    user_id: str
    email: str
    role: str
    session_id: str
    expires_at: datetime
    claims: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ServiceToken:
    """An app's token. ``scopes`` are the permissions that it was given; ``secret_id`` is the secret it was got with."""

    app_id: str
    scopes: frozenset[str]
    secret_id: str
    expires_at: datetime
    claims: Mapping[str, Any]

    @property
    def role(self) -> str:
        """``service``."""
        return SERVICE


Token = UserToken | ServiceToken


def token_of(claims: Mapping[str, Any]) -> Token:
    """Raises ``InvalidToken`` where a claim is missing or of another kind than it must be."""
    expires_at = datetime.fromtimestamp(claims["exp"], UTC)
    subject, session = _text(claims, "sub"), _text(claims, "sid")
    role = _text(claims, "role")
    if role == SERVICE:
        if _text(claims, "client_id") != subject:
            raise InvalidToken("the token is of one app, and for another")
        return ServiceToken(subject, frozenset(_text(claims, "scope").split()), session, expires_at, claims)
    if _UUID.fullmatch(subject) is None:
        raise InvalidToken("the token is of no user")
    return UserToken(subject, _text(claims, "email"), role, session, expires_at, claims)


def _text(claims: Mapping[str, Any], name: str) -> str:
    found = claims.get(name)
    if not isinstance(found, str):
        raise InvalidToken(f"the token says nothing of {name}")
    return found
