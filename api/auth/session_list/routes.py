"""The routes of a user's own sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response

from api.auth.bodies import DoneView
from api.auth.caching import keep_out_of_caches
from api.auth.client import client_of
from api.auth.guard import SignedIn, SurelySignedIn
from api.auth.session_list import store
from api.auth.session_list.bodies import SessionView
from api.auth.sessions import Sessions
from api.database import Database
from api.paths import BASE
from api.problems_documented import answers


@dataclass(frozen=True)
class SessionRoutes:
    """The routes' handlers."""

    database: Database
    sessions: Sessions

    def router(self) -> APIRouter:
        """The routes below ``/auth/sessions``, and the end of all of them."""
        router = APIRouter(prefix=f"{BASE}/auth", tags=["auth"])
        router.add_api_route("/sessions", self.list_sessions, methods=["GET"], responses=answers("unauthorized"))
        router.add_api_route(
            "/sessions/{sessionId}",
            self.end_session,
            methods=["DELETE"],
            responses=answers("unauthorized", "not_found", "invalid_request"),
        )
        router.add_api_route(
            "/logout-all", self.logout_all, methods=["POST"], responses=answers("payload_too_large", "unauthorized")
        )
        return router

    async def list_sessions(self, claims: SurelySignedIn, response: Response) -> list[SessionView]:
        """Your sessions that live, the newest first."""
        keep_out_of_caches(response)
        async with self.database.as_user(claims.user_id) as connection:
            listed = await store.list_sessions(connection, claims.user_id)
        return [SessionView.of_listed(session, claims.session_id) for session in listed]

    async def end_session(
        self,
        claims: SignedIn,
        session_id: Annotated[UUID, Path(alias="sessionId")],
        request: Request,
        response: Response,
    ) -> DoneView:
        """Ends one of your sessions; it may be the one that asks."""
        keep_out_of_caches(response)
        await self.sessions.end_listed(claims, session_id, client_of(request))
        return DoneView()

    async def logout_all(self, claims: SignedIn, request: Request, response: Response) -> DoneView:
        """Ends all of your sessions, the one that asks included, and revokes your keys; links and sign-ins under way
        are worth nothing."""
        keep_out_of_caches(response)
        await self.sessions.end_all(claims, client_of(request))
        return DoneView()
