"""An issuer of access tokens at the network's edge: signs what a test says, and counts who asks for its keys."""

from __future__ import annotations

import time
import uuid
from typing import Any, Final

import httpx
import jwt
from mana_client import TokenVerifier

from api.auth.keys import SigningKey, generate

URL: Final = "https://mana.example/.well-known/jwks.json"
USER: Final = "0190f2a0-7c1b-7000-8000-000000000001"
_TIMES: Final = ("iat", "exp", "nbf")

_COMMON: Final[dict[str, Any]] = {
    "iss": "mana", "aud": "mana", "iat": 0, "exp": 900, "jti": "0190f2a0-7c1b-7000-8000-00000000000a",
}  # fmt: skip
"""Times are seconds from when the token is signed: a run of all tests takes longer than a token lives."""
OF_USER: Final[dict[str, Any]] = {
    **_COMMON, "sub": USER, "email": "ada@example.com", "role": "user", "sid": "0190f2a0-7c1b-7000-8000-000000000002",
}  # fmt: skip
OF_SERVICE: Final[dict[str, Any]] = {
    **_COMMON, "sub": "chat", "client_id": "chat", "role": "service", "scope": "credits:use credits:refund",
    "sid": "k3f9x0a2b7c1",
}  # fmt: skip


def dated(claims: dict[str, Any]) -> dict[str, Any]:
    """The claims of a token that is signed now; times that are no numbers stay as they are."""
    now = int(time.time())
    return {**claims, **{name: now + claims[name] for name in _TIMES if isinstance(claims.get(name), int)}}


class Issuer:
    """``fetches``: how often its keys were asked for. ``fails``: what it answers then instead, if anything."""

    def __init__(self, key: SigningKey | None = None) -> None:
        self.key = key or generate()
        self.keys = [self.key]
        self.fetches = 0
        self.fails: httpx.Response | httpx.HTTPError | None = None
        self.http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))

    def verifier(self, **patience: float) -> TokenVerifier:
        """A verifier of its tokens."""
        return TokenVerifier(URL, issuer="mana", audience="mana", http=self.http, **patience)

    def token(self, claims: dict[str, Any], **header: Any) -> str:
        """Signed now with its own key, whatever the header says."""
        typed = {"typ": "at+jwt", "kid": self.key.kid, **header}
        return jwt.encode(dated(claims), self.key.private, self.key.algorithm, typed)

    def stranger(self) -> str:
        """A token that names a key which nobody has."""
        return self.token(OF_USER, kid=str(uuid.uuid4()))

    def _answer(self, _: httpx.Request) -> httpx.Response:
        self.fetches += 1
        if isinstance(self.fails, httpx.HTTPError):
            raise self.fails
        return self.fails or httpx.Response(200, json={"keys": [key.jwk for key in self.keys]})
