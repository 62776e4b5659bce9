"""The HTTP application: routes, errors, documentation; what stands behind the routes and around them is given to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from api import errors
from api.auth.guard import Guard
from api.bodyless import refuse_bodies
from api.openapi import TAGS, Documentation, operation_id
from api.throttle.throttle import Throttle

Layer: TypeAlias = Callable[[ASGIApp], ASGIApp]
"""Puts something around an application."""


def build(routers: Iterable[APIRouter], guard: Guard, throttle: Throttle, layers: Sequence[Layer]) -> ASGIApp:
    """The whole application as uvicorn serves it; of ``layers`` the first is the outermost."""
    around: ASGIApp = application(routers, guard, throttle)
    for layer in reversed(layers):
        around = layer(around)
    return around


def application(routers: Iterable[APIRouter], guard: Guard, throttle: Throttle) -> FastAPI:
    """The routes, which know what OpenAPI says of them, with nothing around them."""
    app = FastAPI(
        title="Mana",
        version="1",
        description="Sign-in and credits for a family of apps.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        openapi_tags=TAGS,
        generate_unique_id_function=operation_id,
        # Its own spans and logs would hold what we do not bound, messages of exceptions among them; ours are elsewhere.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.guard = guard
    app.state.throttle = throttle
    errors.install(app)
    for router in routers:
        refuse_bodies(router)
        app.include_router(router)
    app.include_router(Documentation(app).router())
    return app
