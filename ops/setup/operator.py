"""Operators' commands at servers that somebody else runs: the same words that ./mana takes."""

from pathlib import Path
from typing import Final

import typer
from typer.models import CommandInfo

from ops import layout, state
from ops.addresses import Addresses
from ops.commands import keeping, operating
from ops.commands.becoming import acting_at
from ops.errors import LauncherError
from ops.settings import Settings
from ops.setup import composed

_OF_A_PLACE: Final = ("backup", "restore", "secrets")
"""What belongs to a place of ./mana's: here servers and secrets are others' to keep."""


def name_of(command: CommandInfo) -> str | None:
    """By which it is asked for."""
    return command.name or (command.callback and command.callback.__name__)


def commands() -> typer.Typer:
    """All that work here."""
    app = typer.Typer(
        help="What operators do. In all else, docker compose is what ./mana is without containers.",
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    for several in (operating.commands, keeping.commands):
        app.registered_groups += [one for one in several.registered_groups if one.name not in _OF_A_PLACE]
        app.registered_commands += [one for one in several.registered_commands if name_of(one) not in _OF_A_PLACE]
    return app


def run(state_file: Path, words: list[str], chosen: Settings) -> None:
    """Run a command, which becomes the program that does it. Raises LauncherError without a state."""
    with acting_at(_servers(state_file, chosen)):
        commands()(args=words, prog_name="docker compose run --rm mana")


def _servers(state_file: Path, chosen: Settings) -> Addresses:
    remembered = state.load(state_file)
    if remembered is None:
        raise LauncherError(f"There is no {state_file}: make it with python -m ops.setup secrets {state_file.parent}.")
    return layout.lay_out(remembered, composed.servers(remembered.secrets, chosen)).addresses
