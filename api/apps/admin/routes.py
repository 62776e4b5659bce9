"""The administrators' routes of apps. They translate; what they do is in the service that they are given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from api.apps.admin.acting import AppActs, HandedOut
from api.apps.admin.declared import ChangedAppBody, NewAppBody
from api.apps.admin.model import KnownApp
from api.auth.admin.routes import By
from api.auth.bodies import Body, DoneView
from api.auth.caching import keep_out_of_caches
from api.credits.queries import AppId, matching
from api.paths import BASE
from api.problems_documented import answers
from api.throttle.limited import limited
from contracts.apps import Permission, app_login
from contracts.errors import ErrorCode

ThisApp = Annotated[AppId, Path(alias="appId")]
ThisSecret = Annotated[str, *matching("[a-z0-9]{12}", "is no id of a secret: 12 of a-z 0-9"), Path(alias="secretId")]


class SecretView(Body):
    """A secret of an app, which nobody can read any more. ``login`` is the broker's that it is the password of;
    ``ready``: the login is as the app is now. One that is revoked is shown until its login is gone.

    ``lastUsedAt`` is exact to five minutes: when it was shown for a token, or its login had a connection.
    """

    id: str
    login: str
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    ready: bool


class AppView(Body):
    """An app. Limits that are ``null`` are those of the workers' settings."""

    id: str
    name: str
    permissions: list[Permission]
    commands_per_second: int | None
    unanswered_max: int | None
    created_at: datetime
    revoked_at: datetime | None
    secrets: list[SecretView]

    @classmethod
    def of(cls, app: KnownApp) -> AppView:
        """The view of an app."""
        return cls.model_construct(**_fields(app))


class NewSecretView(Body):
    """A secret at the one time that it is shown; with ``login`` and it an app logs in at the broker, once it is
    ``ready``: until then the broker does not know it."""

    id: str
    login: str
    secret: str
    ready: bool

    @classmethod
    def of(cls, handed: HandedOut) -> NewSecretView:
        """The view of a secret."""
        made = handed.secret
        return cls.model_construct(id=made.id, login=made.login, secret=made.text, ready=handed.ready)


class NewAppView(Body):
    """A new app, and its first secret."""

    app: AppView
    secret: NewSecretView


class RevokedView(DoneView):
    """It is done. ``ready``: the broker has done it too; until then it may let the login in, and the ledger refuses
    what comes by it."""

    ready: bool


def _fields(app: KnownApp) -> dict[str, Any]:
    secrets = [
        SecretView.model_construct(
            id=secret.id,
            login=app_login(app.id, secret.id),
            created_at=secret.created_at,
            revoked_at=secret.revoked_at,
            last_used_at=secret.last_used_at,
            ready=secret.ready,
        )
        for secret in app.open_secrets
    ]
    return {
        **vars(app.declared),
        "id": app.id,
        "permissions": [*app.declared.permissions],
        "created_at": app.created_at,
        "revoked_at": app.revoked_at,
        "secrets": secrets,
    }


@dataclass(frozen=True)
class AppRoutes:
    """The routes' handlers, over their service."""

    acts: AppActs

    def router(self) -> APIRouter:
        """The routes below ``/admin/apps``."""
        around = [limited("admin"), Depends(keep_out_of_caches)]
        router = APIRouter(prefix=f"{BASE}/admin/apps", tags=["admin"], dependencies=around)

        def add(method: str, path: str, handler: Any, *codes: ErrorCode, status: HTTPStatus = HTTPStatus.OK) -> None:
            too_large: tuple[ErrorCode, ...] = () if method == "GET" else ("payload_too_large",)
            every = answers("unauthorized", "forbidden", *too_large, *codes)
            router.add_api_route(path, handler, methods=[method], responses=every, status_code=status)

        add("GET", "", self.list_apps)
        add("POST", "", self.create_app, "invalid_request", status=HTTPStatus.CREATED)
        add("GET", "/{appId}", self.get_app, "not_found", "invalid_request")
        add("PATCH", "/{appId}", self.change_app, "not_found", "invalid_request")
        add("DELETE", "/{appId}", self.revoke_app, "not_found", "invalid_request")
        created = HTTPStatus.CREATED
        add("POST", "/{appId}/secrets", self.add_app_secret, "not_found", "invalid_request", status=created)
        add("DELETE", "/{appId}/secrets/{secretId}", self.revoke_app_secret, "not_found", "invalid_request")
        return router

    async def list_apps(self, by: By) -> list[AppView]:
        """All apps, those that are revoked too."""
        return [AppView.of(app) for app in await self.acts.every(by)]

    async def create_app(self, by: By, body: NewAppBody) -> NewAppView:
        """Makes an app with its first secret, which is shown this once; needs a recent sign-in.

        An id is never used twice, also not after its app was revoked.
        """
        app, handed = await self.acts.create(by, body)
        return NewAppView.model_construct(app=AppView.of(app), secret=NewSecretView.of(handed))

    async def get_app(self, by: By, app_id: ThisApp) -> AppView:
        """One app."""
        return AppView.of(await self.acts.one(by, app_id))

    async def change_app(self, by: By, app_id: ThisApp, body: ChangedAppBody) -> AppView:
        """Changes what is named in the body; needs a recent sign-in.

        An app that loses a right at the broker (`events:read`, `admin`) is disconnected, and logs in again.
        """
        return AppView.of(await self.acts.change(by, app_id, body))

    async def revoke_app(self, by: By, app_id: ThisApp) -> RevokedView:
        """Ends an app for ever, with its secrets; its connections end within a second.

        Waits a moment for the broker: `ready` tells whether it has ended them. A second time changes nothing.
        """
        return RevokedView.model_construct(ready=await self.acts.revoke(by, app_id))

    async def add_app_secret(self, by: By, app_id: ThisApp) -> NewSecretView:
        """Gives an app a second secret, shown this once, so that it can be exchanged; needs a recent sign-in."""
        return NewSecretView.of(await self.acts.add_secret(by, app_id))

    async def revoke_app_secret(self, by: By, app_id: ThisApp, secret_id: ThisSecret) -> RevokedView:
        """Ends a secret; the connections that it opened end within a second.

        Waits a moment for the broker: `ready` tells whether it has ended them. A second time changes nothing.
        """
        return RevokedView.model_construct(ready=await self.acts.revoke_secret(by, app_id, secret_id))
