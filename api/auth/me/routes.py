"""The routes about oneself. They translate; the services decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from api.auth.bodies import DoneView
from api.auth.caching import keep_out_of_caches
from api.auth.client import client_of
from api.auth.guard import SurelySignedIn
from api.auth.me.bodies import ProfileBody, ProfileView
from api.auth.me.deletion import Deletion
from api.auth.me.export import Exports
from api.auth.me.profile import Profiles
from api.auth.me.sending import ExportResponse
from api.paths import BASE
from api.problems_documented import answers
from api.throttle.limited import limited
from contracts.errors import ErrorCode

_EXPORT: Final = {200: {"content": {"application/json": {"schema": {"type": "object"}}}}}


@dataclass(frozen=True)
class MeRoutes:
    """The routes' handlers, over their services."""

    profiles: Profiles
    exports: Exports
    deletion: Deletion

    def router(self) -> APIRouter:
        """The routes below ``/auth/me``."""
        router = APIRouter(prefix=f"{BASE}/auth/me", tags=["me"])

        def add(method: str, path: str, handler: Any, *codes: ErrorCode, **more: Any) -> None:
            responses = more.pop("results", {}) | answers("unauthorized", *codes)
            router.add_api_route(path, handler, methods=[method], responses=responses, **more)

        add("GET", "", self.get_me)
        add("PATCH", "", self.change_me, "payload_too_large", "invalid_request")
        add("DELETE", "", self.delete_me, "forbidden", "payload_too_large")
        add(
            "GET",
            "/export",
            self.export_me,
            "forbidden",
            results=_EXPORT,
            response_class=Response,
            dependencies=[limited("export")],
        )
        return router

    async def get_me(self, claims: SurelySignedIn, response: Response) -> ProfileView:
        """Who is signed in."""
        keep_out_of_caches(response)
        return ProfileView.of_profile(await self.profiles.read(claims))

    async def change_me(self, claims: SurelySignedIn, body: ProfileBody, response: Response) -> ProfileView:
        """Changes the name; `null` clears it."""
        keep_out_of_caches(response)
        return ProfileView.of_profile(await self.profiles.rename(claims, body.name))

    async def export_me(self, claims: SurelySignedIn, request: Request) -> Response:
        """All that is kept about the user, as one JSON object; secrets and hashes of secrets are left out."""
        await self.exports.admit(claims, client_of(request))
        return ExportResponse(self.exports.pieces(claims.user_id))

    async def delete_me(self, claims: SurelySignedIn, response: Response) -> DoneView:
        """Deletes the user for good: personal data goes, descriptions and metadata of transactions are blanked, and the
        ledger keeps its figures under the id."""
        keep_out_of_caches(response)
        await self.deletion.delete(claims)
        return DoneView()
