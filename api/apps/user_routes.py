"""The route by which services see users."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from api.apps.user_store import KnownUser, get_user
from api.auth.bodies import UserView
from api.auth.caching import keep_out_of_caches
from api.auth.guard import ReadsUsers
from api.database import Database
from api.errors import refuse
from api.paths import BASE
from api.problems_documented import answers

UserId = Annotated[UUID, Path(alias="userId")]


class KnownUserView(UserView):
    """A user as services see one."""

    banned_at: datetime | None

    @classmethod
    def of_known(cls, user: KnownUser) -> KnownUserView:
        """The view of a user."""
        return cls.model_construct(**vars(user))


@dataclass(frozen=True)
class UserRoutes:
    """The route's handler."""

    database: Database

    def router(self) -> APIRouter:
        """The route below ``/users``."""
        router = APIRouter(prefix=f"{BASE}/users", tags=["services"])
        responses = answers("unauthorized", "forbidden", "not_found", "invalid_request")
        router.add_api_route("/{userId}", self.get_user_for_service, methods=["GET"], responses=responses)
        return router

    async def get_user_for_service(self, service: ReadsUsers, user_id: UserId, response: Response) -> KnownUserView:
        """Who a user is, for a service that may read users."""
        keep_out_of_caches(response)
        async with self.database.as_user(user_id) as connection:
            user = await get_user(connection, user_id)
        if user is None:
            raise refuse("not_found", "there is no such user")
        return KnownUserView.of_known(user)
