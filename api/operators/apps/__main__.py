"""``python -m api.operators.apps create|list|show|change|add-secret|revoke-secret|revoke``: apps and their secrets."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError

from api.apps.admin.changing import Changes
from api.apps.admin.declared import ChangedAppBody, NewAppBody
from api.apps.admin.readiness import await_broker
from api.apps.admin.store import list_apps
from api.database import Database
from api.errors import Refusal, Unavailable
from api.operators.apps.acting import changing, found
from api.operators.apps.asking import Wish, Wrong, asked, wish
from api.operators.apps.showing import handed_out, table, whole
from api.operators.settings import OwnerSettings
from api.settings import complaints
from api.text import printable
from contracts.errors import Error

_NAME: Final = "mana-apps"
_BROKER_SECONDS: Final = 10.0
_LATE: Final = "The broker does not know of it yet: it will as soon as the process apps runs (./mana logs apps).\n"


async def _look(database: Database, given: argparse.Namespace) -> str:
    if given.command == "show":
        return whole(await found(database, given.id))
    async with database.transaction() as connection:
        return table(await list_apps(connection, "owner"))


async def _change(changes: Changes, given: argparse.Namespace, body: Wish, amqp_url: str) -> str:
    """What is to be said of it once it is done; secrets in it are known to nobody else."""
    match body:
        case NewAppBody():
            secret = await changes.create(body.id, body.declared())
            return f"App {body.id} is made, with {handed_out(secret, amqp_url)}"
        case ChangedAppBody():
            await changes.change(given.id, body.declared)
            return f"App {given.id} is as you say.\n"
        case None:
            return await _with_secrets(changes, given, amqp_url)


async def _with_secrets(changes: Changes, given: argparse.Namespace, amqp_url: str) -> str:
    match given.command:
        case "add-secret":
            return f"App {given.id} has another {handed_out(await changes.add_secret(given.id), amqp_url)}"
        case "revoke-secret":
            await changes.revoke_secret(given.id, given.secret_id)
            return f"Secret {given.secret_id} opens nothing any more.\n"
        case _:
            await changes.revoke(given.id)
            return f"App {given.id} is revoked.\n"


async def _run(settings: OwnerSettings, given: argparse.Namespace, body: Wish) -> bool:
    """Whether what was asked for is done at the broker too."""
    async with Database.connected(settings.database_url, 1, _NAME) as database:
        if given.command in {"list", "show"}:
            sys.stdout.write(await _look(database, given))
            return True
        async with changing(database) as changes:
            told = await _change(changes, given, body, settings.mana_amqp_url)
        sys.stdout.write(told)
        sys.stdout.flush()
        return (await await_broker(lambda: found(database, given.id), _BROKER_SECONDS)).broker_ready


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 when it is done, 1 when a server is away or there is no such app, 2 for what cannot be meant."""
    given = asked(arguments)
    try:
        settings = OwnerSettings()  # pyright: ignore[reportCallIssue] - the environment gives them
        if asyncio.run(_run(settings, given, wish(given))):
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
