"""The HTTP application: routes, errors, limits; what stands behind the routes is given to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from api import errors
from api.auth.guard import Guard
from api.auth.routes import AuthRoutes
from api.credits.routes import CreditsRoutes
from api.edge import Edge
from api.health import Health
from api.limits import BodyLimit
from api.metrics import HttpMetrics
from api.openapi import Documentation


@dataclass(frozen=True)
class Routes:
    """The rooms of the application."""

    auth: AuthRoutes
    credits: CreditsRoutes
    health: Health


def build(routes: Routes, guard: Guard, metrics: HttpMetrics, origins: Sequence[str]) -> ASGIApp:
    """The whole application as uvicorn serves it; ``origins`` are those that browsers may call from."""
    app = FastAPI(
        title="Mana",
        version="1",
        description="Sign-in and credits for a family of apps.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.guard = guard
    errors.install(app)
    app.include_router(routes.auth.router())
    app.include_router(routes.credits.router())
    app.include_router(routes.health.router())
    app.include_router(_well_known(routes.auth))
    app.include_router(Documentation(app).router())
    limited = BodyLimit(app)
    return Edge(_allowing(limited, origins) if origins else limited, metrics)


def _allowing(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """Lets pages of these origins call us with a token, never with cookies; around everything that answers, so that
    they can read 413 and 500 too."""
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Prefer", "X-Request-Id"],
        expose_headers=["Link", "Location", "Retry-After", "X-Request-Id"],
    )


def _well_known(auth: AuthRoutes) -> APIRouter:
    router = APIRouter(tags=["auth"])
    router.add_api_route("/.well-known/jwks.json", auth.jwks, methods=["GET"], include_in_schema=False)
    return router
