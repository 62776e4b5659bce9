"""./mana: its commands in one program."""

import sys
from typing import NoReturn

import typer

from ops.commands import developing, keeping, looking, operating, running
from ops.errors import LauncherError, sentence

app = typer.Typer(
    help="Central sign-in and credit ledger: starts, watches and stops everything.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for title, commands in (
    ("Running", running.commands),
    ("Looking", looking.commands),
    ("Operating", operating.commands),
    ("Keeping", keeping.commands),
    ("Developing", developing.commands),
):
    # Typer takes the title of a help's panel from each command alone, not from those it came with.
    for one in (*commands.registered_commands, *commands.registered_groups):
        one.rich_help_panel = title
    app.add_typer(commands)


def main() -> NoReturn:
    """Run a command; what cannot be done ends in one sentence on standard error."""
    try:
        app(prog_name="./mana")
    except LauncherError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(sentence(error))
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)
