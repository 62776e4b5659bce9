"""The stand-in put together."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.requests import Request
from starlette.responses import Response

from ops.fakes.stripe import endpoints, page, routes
from ops.fakes.stripe.account import Account, Settings
from ops.fakes.stripe.answering import Api
from ops.fakes.stripe.clock import Clock
from ops.fakes.stripe.control import Control
from ops.fakes.stripe.delivery import Courier, Switches
from ops.fakes.stripe.errors import ApiError
from ops.fakes.stripe.idempotency import Keys


@dataclass(frozen=True)
class Options:
    """What it is started with."""

    url: str
    """Where it is reached: the pages' addresses begin with it."""
    secret_keys: frozenset[str] = frozenset()
    endpoint: tuple[str, str] | None = None
    """A webhook endpoint that is there from the start, for all events: its URL and its secret."""
    seed: int = 0


def application(options: Options) -> FastAPI:
    """All of it as one application."""
    clock, settings, switches = Clock(), Settings(), Switches()
    test, live = (_account(options, clock, settings, livemode=livemode) for livemode in (False, True))

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncGenerator[None]:
        couriers = Courier(test, switches, options.seed), Courier(live, switches, options.seed)
        test.tell, live.tell = couriers[0].take, couriers[1].take
        app.include_router(Control((test, live), couriers, switches).router)
        if options.endpoint is not None:
            url, secret = options.endpoint
            for account in (test, live):
                endpoints.add(account, url, ["*"], secret=secret)
        ticking = asyncio.create_task(clock.run())
        ticking.add_done_callback(_must_not_fail)
        try:
            yield
        finally:
            ticking.cancel()
            for courier in couriers:
                await courier.close()

    app = FastAPI(lifespan=running, docs_url=None, redoc_url=None, openapi_url=None)
    keys = {False: Keys(clock), True: Keys(clock)}
    app.routes.extend(page.routes((test, live)))
    app.routes.extend(routes.routes(Api(test, live, settings, keys, options.secret_keys)))
    app.add_exception_handler(ApiError, _refuse)
    return app


def _account(options: Options, clock: Clock, settings: Settings, *, livemode: bool) -> Account:
    return Account(livemode, clock, options.url.rstrip("/"), settings, _nobody)


def _nobody(_: object) -> None:
    """Nothing is sent before the server runs."""


def _must_not_fail(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.result()


async def _refuse(_: Request, error: Exception) -> Response:
    """Of the control API: its endpoints raise what the API's do."""
    if not isinstance(error, ApiError):
        raise error
    return JSONResponse({"error": error.error}, error.status)
