"""`./mana secrets`: asks the supervisor to change passwords, and waits for what becomes of it."""

import secrets
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated

import typer

from ops import asking, screen
from ops.errors import LauncherError
from ops.place import Place
from ops.rotation import PARTS, Part, Wish
from ops.status import Status

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
    told = asking.running(place)
    parts = _changeable(told) if whose is Whose.ALL else _only(whose)
    with screen.steps("changing passwords") as show:
        change(place, parts, show)
    screen.results.print(f"New passwords: {', '.join(parts)}. Addresses and logins: {place.env}", markup=False)


def change(place: Place, parts: Sequence[Part], watch: Callable[[str], None]) -> None:
    """Returns when all processes run with new passwords. Raises LauncherError where nothing runs, and when it fails."""
    wish = Wish(secrets.token_hex(8), list(parts))
    told = asking.ask(place, place.rotation, wish, lambda told: told.rotation, watch)
    if told.failure:
        raise LauncherError(f"Not all passwords were changed: {told.failure}")


def _only(whose: Whose) -> list[Part]:
    return [part for part in PARTS if part == whose.value]


def _changeable(told: Status) -> list[Part]:
    """Of a given Redis the password is its owner's; roles and logins are ours at given servers too."""
    own_redis = any(process.name == "redis" for process in told.processes)
    return [part for part in PARTS if part != "redis" or own_redis]
