"""Brings a running place to the version of the code that lies here."""

import asyncio
import os
import re
import secrets
import sys
from collections.abc import Callable

from api.fitness import schema as front
from ops import asking, handover, instance, layout, lock, packages, roles, schema, state, taken, version
from ops.errors import LauncherError
from ops.instance import Instance
from ops.place import CHECKOUT, Place
from ops.status import Status
from ops.version import Version
from workers.apps import store as apps
from workers.ledger.store import fitness as ledger
from workers.payments import store as payments
from workers.usage import store as usage

_MODULE = "ops.supervisor"
_EXAMPLE = CHECKOUT / ".env.example"
_NEEDED = max(room.SCHEMA_NEEDED for room in (front, ledger, payments, apps, usage))
_NO_SETTING_OF_A_PROCESS = {"MANA_HOME"}


def upgrade(place: Place, watch: Callable[[str], None]) -> Version | None:
    """Let the running place become this version, and serve meanwhile: the version that runs now, None where it did
    before, and nothing was to be done.

    Raises LauncherError where that is refused, or broken off: the place serves in either case.
    """
    with lock.held(place.upgrading):
        told = _waited_for(place, watch)
        here, before = version.of(CHECKOUT), told.version
        if before is None:
            raise LauncherError("The version that runs cannot be replaced while it runs: ./mana down, then ./mana up.")
        same = before.digest == here.digest and not told.mixed
        if not same:
            asyncio.run(_prepare(place, told, watch))
            _replace(place, watch)
        watch("looking at the schema")
        said = asyncio.run(_migrate(instance.of(place)))
        return None if same and said == schema.NOTHING else here


def differing_settings(told: Status) -> list[str]:
    """Those that the supervisor was started with otherwise than this environment has them."""
    running = told.supervisor.environment()
    names = set(re.findall(r"^#?([A-Z_]+)=", _EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE))
    differing = (name for name in names if (running.get(name) or None) != (os.environ.get(name) or None))
    return sorted(set(differing) - _NO_SETTING_OF_A_PROCESS)


async def establish_roles(there: Instance, administrator: str | None) -> None:
    """Make its database's roles exist, as a start does: the older version did not know those that came since.

    `administrator`: the address of a given server's. Passwords are remembered first, so that the next start knows them.
    Raises LauncherError.
    """
    remembered = state.load(there.place.state)
    if remembered is None:
        raise LauncherError(f"{there.place.state} is missing: without its secrets no role can be made.")
    own = any(process.name == "postgres" for process in there.status.processes)
    address = layout.remembered_postgres(remembered).url if own else administrator
    if address is None:
        raise LauncherError("DATABASE_URL is not set in this environment: export it as for ./mana up.")
    state.save(there.place.state, remembered)
    await roles.establish(
        address,
        there.addresses.database_name,
        remembered.secrets.roles,
        take_over=own or taken.may_take_over(),
    )


def _waited_for(place: Place, watch: Callable[[str], None]) -> Status:
    """The status once no earlier upgrade is underway."""
    told = asking.running(place)
    if told.upgrade and not told.upgrade.ended:
        asking.wait(place, lambda told: told.upgrade, watch)
        told = asking.running(place)
    return told


async def _prepare(place: Place, told: Status, watch: Callable[[str], None]) -> None:
    """What is done while only the version of before runs: first what may refuse, then what the new one needs."""
    environment = told.supervisor.environment()
    words = told.supervisor.arguments()
    if "--monitored" in words:
        packages.require_all(packages.MONITORING, watch)
    watch("trying the new version")
    await handover.attempt(_wish(), words[words.index(_MODULE) + 1 :], environment)
    there = instance.of(place)
    watch("migrating")
    await establish_roles(there, environment.get("DATABASE_URL"))
    await _migrate(there, beside=_NEEDED)


def _replace(place: Place, watch: Callable[[str], None]) -> None:
    try:
        answered = asking.ask(place, place.upgrade, _wish(), lambda told: told.upgrade, watch)
    except KeyboardInterrupt:
        watch("interrupted; the upgrade goes on without this command")
        raise
    if answered.failure:
        raise LauncherError(
            f"The upgrade stopped: {answered.failure}\nWhat was not replaced runs as before, and the place serves."
        )


def _wish() -> handover.Wish:
    return handover.Wish(secrets.token_hex(8), sys.executable, str(CHECKOUT))


async def _migrate(there: Instance, beside: int | None = None) -> str:
    remembered = state.load(there.place.state)
    if remembered is None or remembered.partitions is None:
        raise LauncherError(f"{there.place.state} is missing.")
    return await schema.migrate(there.env["MANA_DATABASE_OWNER_URL"], remembered.partitions, beside=beside)
