"""``python -m api.operators.apps create|list|show|change|add-secret|revoke-secret|revoke``: apps and their secrets."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from pydantic import ValidationError

from api.apps.admin.changing import Changes, no_such_app
from api.apps.admin.model import KnownApp, NewSecret
from api.apps.admin.readiness import await_broker
from api.apps.admin.store import Writing, find_app, list_apps
from api.auth.model import NOWHERE, EventType, SecurityEvent
from api.auth.store import add_event
from api.database import Database
from api.errors import Refusal, Unavailable
from api.operators.apps.asking import Wrong, asked, changed_app, new_app
from api.operators.apps.showing import handed_out, table, whole
from api.operators.settings import OwnerSettings
from api.settings import complaints
from api.text import printable
from contracts.errors import Error

_NAME: Final = "mana-apps"
_BROKER_SECONDS: Final = 10.0
_LATE: Final = "The broker does not know of it yet: it will as soon as the process apps runs (./mana logs apps).\n"


async def _look(database: Database, given: argparse.Namespace) -> str:
    async with database.transaction() as connection:
        if given.command == "list":
            return table(await list_apps(connection, "owner"))
    return whole(await _found(database, given.id))


async def _found(database: Database, app_id: str) -> KnownApp:
    async with database.transaction() as connection:
        app = await find_app(connection, "owner", app_id)
    if app is None:
        raise no_such_app()
    return app


async def _change(database: Database, given: argparse.Namespace, amqp_url: str) -> str:
    """What is to be said of it; secrets in it are known to nobody else."""
    async with _changing(database) as changes:
        match given.command:
            case "create":
                wanted = new_app(given)
                secret = await changes.create(wanted.id, wanted.declared())
                return f"App {wanted.id} is made, with {handed_out(secret, amqp_url)}"
            case "change":
                await changes.change(given.id, changed_app(given).declared)
                return f"App {given.id} is as you say.\n"
            case "add-secret":
                secret: NewSecret = await changes.add_secret(given.id)
                return f"App {given.id} has another {handed_out(secret, amqp_url)}"
            case "revoke-secret":
                await changes.revoke_secret(given.id, given.secret_id)
                return f"Secret {given.secret_id} opens nothing any more.\n"
            case _:
                await changes.revoke(given.id)
                return f"App {given.id} is revoked.\n"


@asynccontextmanager
async def _changing(database: Database) -> AsyncGenerator[Changes]:
    """One transaction as the database's owner, in which no other changes apps."""
    async with database.transaction() as connection:
        await Writing(connection, "owner").lock()

        async def note(event: EventType, details: Mapping[str, Any]) -> None:
            await add_event(connection, SecurityEvent(event, NOWHERE, details={"by": "operator", **details}))

        yield Changes(connection, "owner", note)


async def _run(settings: OwnerSettings, given: argparse.Namespace) -> bool:
    """Whether what was asked for is done at the broker too."""
    async with Database.connected(settings.database_url, 1, _NAME) as database:
        if given.command in {"list", "show"}:
            sys.stdout.write(await _look(database, given))
            return True
        sys.stdout.write(await _change(database, given, settings.mana_amqp_url))
        sys.stdout.flush()
        return (await await_broker(lambda: _found(database, given.id), _BROKER_SECONDS)).broker_ready


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 when it is done, 1 when a server is away or there is no such app, 2 for what cannot be meant."""
    given = asked(arguments)
    try:
        settings = OwnerSettings()  # pyright: ignore[reportCallIssue] - the environment gives them
        if asyncio.run(_run(settings, given)):
            return 0
        sys.stderr.write(_LATE)
    except ValidationError as error:
        sys.stderr.write("\n".join(complaints(error)) + "\n")
        return 2
    except Wrong as error:
        sys.stderr.write("".join(f"{complaint}.\n" for complaint in error.complaints))
        return 2
    except Refusal as refusal:
        sys.stderr.write(f"{printable(given.id)}: {_sentence(refusal.error)}. Nothing was changed.\n")
        return 1
    except Unavailable as error:
        sys.stderr.write(f"{error}: ./mana apps show ID tells whether anything was changed.\n")
    return 1


def _sentence(error: Error) -> str:
    found = error.details.get("errors", [])
    return "; ".join(f"{one['field']} {one['message']}" for one in found) or error.message


if __name__ == "__main__":
    sys.exit(main())
