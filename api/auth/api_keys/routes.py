"""The routes of a user's own keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from api.auth.api_keys.bodies import KeyView, NewKeyBody, NewKeyView
from api.auth.api_keys.keeping import KeyKeeping
from api.auth.bodies import DoneView
from api.auth.caching import keep_out_of_caches
from api.auth.client import client_of
from api.auth.guard import SurelySignedIn
from api.credits.queries import matching
from api.paths import BASE
from api.problems_documented import answers
from api.throttle.limited import limited
from contracts.errors import ErrorCode

KeyId = Annotated[str, Path(alias="keyId"), *matching("[a-z0-9]{12}", "is no key's id")]


@dataclass(frozen=True)
class KeyRoutes:
    """The routes' handlers."""

    keys: KeyKeeping

    def router(self) -> APIRouter:
        """The routes below ``/auth/api-keys``."""
        router = APIRouter(prefix=f"{BASE}/auth/api-keys", tags=["API keys"])

        def add(method: str, path: str, handler: Any, *codes: ErrorCode, **more: Any) -> None:
            responses = answers("unauthorized", *codes)
            router.add_api_route(path, handler, methods=[method], responses=responses, **more)

        counted = {"status_code": 201, "dependencies": [limited("credentials")]}
        add("GET", "", self.list_keys)
        add("POST", "", self.make_key, "forbidden", "payload_too_large", "invalid_request", **counted)
        add("DELETE", "/{keyId}", self.revoke_key, "not_found", "payload_too_large", "invalid_request")
        return router

    async def list_keys(self, claims: SurelySignedIn, response: Response) -> list[KeyView]:
        """Your keys that are not revoked, the newest first."""
        keep_out_of_caches(response)
        return [KeyView.of(key) for key in await self.keys.list(claims)]

    async def make_key(
        self, claims: SurelySignedIn, body: NewKeyBody, request: Request, response: Response
    ) -> NewKeyView:
        """Makes a key for a script of yours, after a recent sign-in; its text is in this answer and nowhere else."""
        keep_out_of_caches(response)
        made, text = await self.keys.make(
            claims, client_of(request), name=body.name, scopes=body.scopes, until=body.expires_at
        )
        return NewKeyView.of_new(made, text)

    async def revoke_key(self, claims: SurelySignedIn, key_id: KeyId, request: Request, response: Response) -> DoneView:
        """Revokes one of your keys."""
        keep_out_of_caches(response)
        await self.keys.revoke(claims, key_id, client_of(request))
        return DoneView()
