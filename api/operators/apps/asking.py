"""What an operator may ask for, as words of a command line. Pure."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, Final, TypeAlias, TypeVar

from pydantic import ValidationError

from api.apps.admin.declared import ChangedAppBody, NewAppBody
from api.text import printable
from api.wording import of_pydantic
from contracts.apps import DEFAULT_PERMISSIONS, PERMISSIONS

_BY_SETTING: Final = "default"
_WIRE: Final = {"commands_per_second": "commandsPerSecond", "unanswered_max": "unansweredMax"}
_OPTIONS: Final = {
    "id": "ID",
    "name": "--name",
    "permissions": "--permission",
    "commandsPerSecond": "--commands-per-second",
    "unansweredMax": "--unanswered-max",
}


Wish: TypeAlias = NewAppBody | ChangedAppBody | None
Kind = TypeVar("Kind", NewAppBody, ChangedAppBody)


class Wrong(Exception):  # noqa: N818 - says what was asked
    """``complaints`` are sentences about what was asked for."""

    def __init__(self, complaints: list[str]) -> None:
        super().__init__(complaints)
        self.complaints = complaints


def asked(words: Sequence[str] | None) -> argparse.Namespace:
    """The command with its options; ends the process where there is no such command."""
    parser = argparse.ArgumentParser(
        prog="./mana apps", description="Apps that may speak to the service, and their secrets."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    create = _command(commands, "create", "make an app, with its first secret", "ID")
    _command(commands, "list", "all apps")
    _command(commands, "show", "one app", "ID")
    change = _command(commands, "change", "change an app", "ID")
    for one in (create, change):
        _add_options(one)
    _command(commands, "add-secret", "give an app a second secret, to replace the first by", "ID")
    _command(commands, "revoke-secret", "end a secret, and all connections that it opened", "ID", "SECRET_ID")
    _command(commands, "revoke", "end an app for ever, with its secrets and connections", "ID")
    return parser.parse_args(words)


def wish(given: argparse.Namespace) -> Wish:
    """What is to stand in an app; ``None`` for commands that say nothing of it. Raises ``Wrong``."""
    match given.command:
        case "create":
            return new_app(given)
        case "change":
            return changed_app(given)
        case _:
            return None


def new_app(given: argparse.Namespace) -> NewAppBody:
    """The app that is to be made. Raises ``Wrong``."""
    return _checked(NewAppBody, {"id": given.id, **_options(given)})


def changed_app(given: argparse.Namespace) -> ChangedAppBody:
    """What is to become of an app. Raises ``Wrong``, also where nothing is to."""
    options = _options(given)
    if not options:
        raise Wrong(["say what is to change: --name, --permission, --commands-per-second or --unanswered-max"])
    return _checked(ChangedAppBody, options)


def _command(commands: Any, name: str, told: str, *positional: str) -> argparse.ArgumentParser:
    one: argparse.ArgumentParser = commands.add_parser(name, help=told, description=f"{told.capitalize()}.")
    for word in positional:
        one.add_argument(word.lower(), metavar=word)
    return one


def _add_options(parser: argparse.ArgumentParser) -> None:
    usual = " ".join(permission for permission in PERMISSIONS if permission in DEFAULT_PERMISSIONS)
    told = f"once for each, all of: {' '.join(PERMISSIONS)}; or none; a new app has {usual}"
    parser.add_argument("--name")
    parser.add_argument("--permission", action="append", dest="permissions", metavar="P", help=told)
    limits = f"its own limit, or {_BY_SETTING}: as the workers' settings have it"
    parser.add_argument("--commands-per-second", metavar="N", help=limits)
    parser.add_argument("--unanswered-max", metavar="N", help=limits)


def _options(given: argparse.Namespace) -> dict[str, Any]:
    """As they would stand in a body."""
    found: dict[str, Any] = {}
    if given.name is not None:
        found["name"] = given.name
    if given.permissions is not None:
        found["permissions"] = [] if given.permissions == ["none"] else given.permissions
    for option, wire in _WIRE.items():
        value = getattr(given, option)
        if value is not None:
            found[wire] = _limit(value)
    return found


def _limit(value: str) -> int | str | None:
    """A number where it is one."""
    if value == _BY_SETTING:
        return None
    return int(value) if value.isascii() and value.isdigit() else value


def _checked(kind: type[Kind], fields: dict[str, Any]) -> Kind:
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise Wrong([_complaint(entry, fields) for entry in error.errors()]) from error


def _complaint(entry: Any, fields: dict[str, Any]) -> str:
    field = str(entry["loc"][0])
    value = fields[field]
    if len(entry["loc"]) > 1:
        value = value[entry["loc"][1]]
    return f"{_OPTIONS[field]} {printable(str(value))} {printable(of_pydantic(entry))}"
