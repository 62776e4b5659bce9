"""Apps in the database, as its owner: one transaction for each act, which also writes it down."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from api.apps.admin.changing import Changes, no_such_app
from api.apps.admin.model import KnownApp
from api.apps.admin.store import Writing, find_app
from api.auth.model import NOWHERE, EventType, SecurityEvent
from api.auth.store import add_event
from api.database import Database


async def found(database: Database, app_id: str) -> KnownApp:
    """The app. Raises ``Refusal`` (``not_found``), ``Unavailable``."""
    async with database.transaction() as connection:
        app = await find_app(connection, "owner", app_id)
    if app is None:
        raise no_such_app()
    return app


@asynccontextmanager
async def changing(database: Database) -> AsyncGenerator[Changes]:
    """A transaction in which no other changes apps. Raises ``Unavailable``."""
    async with database.transaction() as connection:
        await Writing(connection, "owner").lock()

        async def note(event: EventType, details: Mapping[str, Any]) -> None:
            await add_event(connection, SecurityEvent(event, NOWHERE, details={"by": "operator", **details}))

        yield Changes(connection, "owner", note)
