"""The routes of administration. They translate; what they do is in the services that they are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.auth.admin.acting import Acts
from api.auth.admin.bodies import (
    EventsQuery,
    KnownUserView,
    ReasonBody,
    RecordedEventView,
    RoleBody,
    UsersQuery,
    WholeUserView,
)
from api.auth.admin.looking import Looks
from api.auth.admin.model import Administrator
from api.auth.bodies import DoneView, LiveSessionView
from api.auth.caching import keep_out_of_caches
from api.auth.client import client_of
from api.auth.guard import Admin
from api.paths import BASE
from api.problems_documented import answers
from api.throttle.limited import limited
from contracts.errors import ErrorCode

UserId = Annotated[UUID, Path(alias="userId")]
SessionId = Annotated[UUID, Path(alias="sessionId")]


def _administrator(claims: Admin, request: Request) -> Administrator:
    return Administrator(claims.user_id, claims.session_id, client_of(request))


By = Annotated[Administrator, Depends(_administrator)]


@dataclass(frozen=True)
class AdminRoutes:
    """The routes' handlers, over their services."""

    looks: Looks
    acts: Acts

    def router(self) -> APIRouter:
        """The routes below ``/admin``."""
        around = [limited("admin"), Depends(keep_out_of_caches)]
        router = APIRouter(prefix=f"{BASE}/admin", tags=["admin"], dependencies=around)

        def add(method: str, path: str, handler: Any, *codes: ErrorCode) -> None:
            too_large: tuple[ErrorCode, ...] = () if method == "GET" else ("payload_too_large",)
            every = answers("unauthorized", "forbidden", "invalid_request", *too_large, *codes)
            router.add_api_route(path, handler, methods=[method], responses=every)

        add("GET", "/users", self.list_users)
        add("GET", "/users/{userId}", self.get_user, "not_found")
        add("PATCH", "/users/{userId}", self.change_user, "not_found")
        add("POST", "/users/{userId}/ban", self.ban_user, "not_found")
        add("POST", "/users/{userId}/unban", self.unban_user, "not_found")
        add("GET", "/users/{userId}/sessions", self.list_user_sessions, "not_found")
        add("DELETE", "/users/{userId}/sessions", self.end_user_sessions, "not_found")
        add("DELETE", "/users/{userId}/sessions/{sessionId}", self.end_user_session, "not_found")
        add("GET", "/events", self.list_events)
        return router

    async def list_users(
        self, by: By, query: Annotated[UsersQuery, Query()], request: Request, response: Response
    ) -> list[KnownUserView]:
        """Users by the beginning of their address, in the order of registration; `Link: rel="next"` goes on."""
        found = await self.looks.find(by, query.email, query.cursor, query.limit + 1)
        page = found[: query.limit]
        if len(found) > query.limit:
            _link(response, query.next_page(request.url.path, page[-1].user.id))
        return [KnownUserView.of_known(known) for known in page]

    async def get_user(self, by: By, user_id: UserId) -> WholeUserView:
        """One user."""
        return WholeUserView.of_whole(await self.looks.user(by, user_id))

    async def change_user(self, by: By, user_id: UserId, body: RoleBody) -> WholeUserView:
        """Gives a user another role and ends their sessions; needs a recent sign-in."""
        return WholeUserView.of_whole(await self.acts.change_role(by, user_id, body.role))

    async def ban_user(self, by: By, user_id: UserId, body: ReasonBody) -> WholeUserView:
        """Shuts a user out and freezes the account, what waits in its queue included.

        The reason is kept with the user, and in the event `user.banned`. A second ban changes nothing, also with
        another reason: it is answered with the first one's.
        """
        return WholeUserView.of_whole(await self.acts.ban(by, user_id, body.reason))

    async def unban_user(self, by: By, user_id: UserId, body: ReasonBody) -> WholeUserView:
        """Lets a user in again, and unfreezes the account; the reason is kept in the event `user.unbanned`.

        Whoever is not banned stays as they are.
        """
        return WholeUserView.of_whole(await self.acts.unban(by, user_id, body.reason))

    async def list_user_sessions(self, by: By, user_id: UserId) -> list[LiveSessionView]:
        """A user's live sessions, the newest first."""
        return [LiveSessionView.of(session) for session in await self.looks.sessions(by, user_id)]

    async def end_user_sessions(self, by: By, user_id: UserId) -> DoneView:
        """Ends all of a user's sessions, and revokes the keys of their scripts."""
        await self.acts.end_sessions(by, user_id)
        return DoneView()

    async def end_user_session(self, by: By, user_id: UserId, session_id: SessionId) -> DoneView:
        """Ends one of a user's sessions."""
        await self.acts.end_session(by, user_id, session_id)
        return DoneView()

    async def list_events(
        self, by: By, query: Annotated[EventsQuery, Query()], request: Request, response: Response
    ) -> list[RecordedEventView]:
        """Security events, the newest first; `Link: rel="next"` goes on."""
        found = await self.looks.events(by, query.selection())
        page = found[: query.limit]
        if len(found) > query.limit:
            _link(response, query.next_page(request.url.path, page[-1]))
        return [RecordedEventView.of(event) for event in page]


def _link(response: Response, address: str) -> None:
    response.headers["link"] = f'<{address}>; rel="next"'
