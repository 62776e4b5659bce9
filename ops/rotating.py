"""`./mana secrets`: asks the supervisor to change passwords, and waits for what becomes of it."""

import secrets
import signal
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated

import msgspec
import typer

from ops import private_file, screen, status
from ops.errors import LauncherError
from ops.place import Place
from ops.rotation import PARTS, Part, Wish
from ops.status import Status

_LOOK_EVERY = 0.1

commands = typer.Typer(help="Passwords of roles and logins.", no_args_is_help=True)


class Whose(StrEnum):
    """Which server's logins are meant."""

    POSTGRES = "postgres"
    RABBITMQ = "rabbitmq"
    REDIS = "redis"
    ALL = "all"


@commands.callback()
def _several() -> None:
    """A group, though it has one command."""


@commands.command()
def rotate(whose: Annotated[Whose, typer.Argument()] = Whose.ALL) -> None:
    """Change the passwords that our processes log in with, while everything runs; no request fails by it."""
    place = Place.from_environment()
    told = _running(place)
    parts = _changeable(told) if whose is Whose.ALL else _only(whose)
    with screen.steps("changing passwords") as show:
        change(place, parts, show)
    screen.results.print(f"New passwords: {', '.join(parts)}. Addresses and logins: {place.env}", markup=False)


def change(place: Place, parts: Sequence[Part], watch: Callable[[str], None]) -> None:
    """Returns when all processes run with new passwords. Raises LauncherError where nothing runs, and when it fails."""
    told = _running(place)
    before = told.rotation
    if before is not None and not before.ended:
        raise LauncherError("Passwords are being changed already: ask again when that has ended.")
    wish = Wish(secrets.token_hex(8), list(parts))
    private_file.write(place.rotation, msgspec.json.encode(wish).decode())
    told.supervisor.send(signal.SIGUSR1)
    while not (told.rotation and told.rotation.number == wish.number and told.rotation.ended):
        time.sleep(_LOOK_EVERY)
        told = status.living(place.status)
        if told is None:
            raise LauncherError(f"The supervisor ended meanwhile: see {place.logs}/supervisor.log, and ./mana up.")
        if told.rotation not in (None, before) and told.rotation.number != wish.number:
            raise LauncherError(f"Another change of passwords came before this one: see {place.logs}/supervisor.log.")
        watch(told.step)
    if told.rotation.failure:
        raise LauncherError(f"Not all passwords were changed: {told.rotation.failure}")


def _running(place: Place) -> Status:
    told = status.living(place.status)
    if told is None or told.phase != "ready":
        raise LauncherError(f"Nothing runs in {place.home}: start it with ./mana up first.")
    return told


def _only(whose: Whose) -> list[Part]:
    return [part for part in PARTS if part == whose.value]


def _changeable(told: Status) -> list[Part]:
    """Of a given Redis the password is its owner's; roles and logins are ours at given servers too."""
    own_redis = any(process.name == "redis" for process in told.processes)
    return [part for part in PARTS if part != "redis" or own_redis]
