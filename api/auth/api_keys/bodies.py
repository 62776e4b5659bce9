"""Bodies of the routes of keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from api.auth.api_keys.store import ListedKey, Scope
from api.auth.bodies import Body
from api.credits.queries import Moment
from api.text import PlainText


def _once(scopes: tuple[Scope, ...]) -> tuple[Scope, ...]:
    if len(set(scopes)) < len(scopes):
        raise ValueError("names a scope twice")
    return scopes


Scopes = Annotated[
    tuple[Scope, ...], Field(min_length=1, json_schema_extra={"uniqueItems": True}), AfterValidator(_once)
]


class NewKeyBody(Body):
    """Body of ``POST /auth/api-keys``; without ``expiresAt`` the key is good until it is revoked."""

    name: Annotated[PlainText, Field(min_length=1, max_length=100)]
    scopes: Scopes
    expires_at: Moment | None = None


class KeyView(Body):
    """A key of one's own; ``lastUsedAt`` is exact to a minute."""

    id: str
    name: str
    scopes: Sequence[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, key: ListedKey) -> KeyView:
        """The view of a key."""
        return cls.model_construct(**vars(key))


class NewKeyView(KeyView):
    """A key that was just made, with its text in ``key``: it is shown this once."""

    key: str

    @classmethod
    def of_new(cls, made: ListedKey, text: str) -> NewKeyView:
        """The view of a new key."""
        return cls.model_construct(**vars(made), key=text)
