"""Apps as administrators have registered them, and what they do over REST."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

import asyncpg
import httpx

from contracts.apps import DEFAULT_PERMISSIONS, SECRET_PREFIX
from tests.integration.api.users import BASE

TOKEN = f"{BASE}/auth/token"
INTROSPECT = f"{BASE}/auth/introspect"
GRANT = {"grant_type": "client_credentials"}


@dataclass(frozen=True)
class Registered:
    """An app with a secret that is good."""

    id: str
    secret_id: str
    secret: str

    @property
    def basic(self) -> tuple[str, str]:
        """What proves it by HTTP Basic."""
        return self.id, self.secret


@dataclass(frozen=True)
class ServiceToken:
    """An app's access token."""

    app: Registered
    text: str

    @property
    def headers(self) -> dict[str, str]:
        """What proves the app."""
        return {"authorization": f"Bearer {self.text}"}


async def register_app(owner: asyncpg.Connection, *permissions: str, app_id: str | None = None) -> Registered:
    """A new app, with the permissions of every new app where none are named."""
    app_id = app_id or f"app-{secrets.token_hex(6)}"
    await owner.execute(
        "INSERT INTO credits.apps (id, name, permissions) VALUES ($1, 'An app', $2)",
        app_id,
        [*(permissions or DEFAULT_PERMISSIONS)],
    )
    return await add_secret(owner, app_id, 1)


async def add_secret(owner: asyncpg.Connection, app_id: str, slot: int) -> Registered:
    """A secret for the app."""
    text, salt = SECRET_PREFIX + secrets.token_urlsafe(32), secrets.token_bytes(4)
    made = salt + hashlib.sha256(salt + text.encode()).digest()
    secret_id = secrets.token_hex(6)
    await owner.execute(
        "INSERT INTO auth.app_secrets (id, app_id, slot, hash) VALUES ($1, $2, $3, $4)", secret_id, app_id, slot, made
    )
    return Registered(app_id, secret_id, text)


async def give_token(http: httpx.AsyncClient, app: Registered, scope: str = "") -> ServiceToken:
    """An access token of the app's."""
    answer = await http.post(TOKEN, data=GRANT | ({"scope": scope} if scope else {}), auth=app.basic)
    assert answer.status_code == 200, answer.text
    return ServiceToken(app, answer.json()["access_token"])


async def service(http: httpx.AsyncClient, owner: asyncpg.Connection, *permissions: str) -> ServiceToken:
    """A new app with a token."""
    return await give_token(http, await register_app(owner, *permissions))


async def is_active(http: httpx.AsyncClient, looker: Registered, token: str) -> bool:
    """Whether the front tells an app that the token is good."""
    answer = await http.post(INTROSPECT, data={"token": token}, auth=looker.basic)
    assert answer.status_code == 200, answer.text
    return answer.json()["active"]
