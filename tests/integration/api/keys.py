"""Keys of users' own scripts, as a client of the REST front makes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from tests.integration.api.users import BASE, SignedIn

KEYS = f"{BASE}/auth/api-keys"


@dataclass(frozen=True)
class Key:
    """A key that was made."""

    id: str
    text: str
    told: dict[str, Any]

    @property
    def headers(self) -> dict[str, str]:
        """What proves its user's script."""
        return {"authorization": f"Bearer {self.text}"}


async def make_key(http: httpx.AsyncClient, user: SignedIn, *scopes: str, **more: Any) -> Key:
    """A new key of the user's."""
    answer = await http.post(KEYS, json={"name": "backup", "scopes": scopes, **more}, headers=user.headers)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    return Key(told["id"], told.pop("key"), told)
