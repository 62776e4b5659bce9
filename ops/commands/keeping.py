"""To keep what a place holds: checked, backed up, restored, its dead letters seen to."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from contracts.moments import read_moment
from ops import instance, packages, screen, settings
from ops.backup import restoring, taking
from ops.commands.becoming import PASS_ON, addresses, become, own_settings
from ops.errors import LauncherError
from ops.place import Place

commands = typer.Typer()


@commands.command()
def verify() -> None:
    """Check every invariant over the whole ledger; exit status 1 where one is broken."""
    become("workers.ledger.audit", ["--note"], {"DATABASE_URL": addresses().database_as("mana_owner")})


@commands.command("dead", context_settings=PASS_ON, add_help_option=False)
def dead_letters(context: typer.Context) -> None:
    """List, show, send again or give up what is kept in credits.dead (--help: the commands)."""
    if not context.args or "--help" in context.args:
        become("api.operators.dead", context.args or ["--help"], {})
    become("api.operators.dead", context.args, own_settings().dead_letters())


@commands.command()
def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is empty, or not there yet.")],
) -> None:
    """Copy the running place, its database and secrets, into a folder."""
    target = folder.expanduser().absolute()
    with screen.steps("looking at the place") as show:
        taken = asyncio.run(taking.take(instance.of(Place.from_environment()), target, show))
    screen.results.print(f"{target} is a backup of {taken.ended:%Y-%m-%dT%H:%M:%SZ}. It holds secrets.", markup=False)
    if taken.wal_archive:
        screen.results.print(f"Later moments need {taken.wal_archive} from {taken.wal_from} on.", markup=False)
    if taken.dead_letters_left:
        left = f"{taken.dead_letters_left} dead letters are not in it"
        screen.results.print(f"{left}: redrive or drop the first (./mana dead), and take it anew.", markup=False)


@commands.command()
def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A backup.")],
    *,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="To this moment, as 2027-01-31T12:00:00Z.")] = None,
    wal: Annotated[Path | None, typer.Option(metavar="DIR", help="Where archived WAL lies, if elsewhere.")] = None,
) -> None:
    """Make a place, which must be empty, out of a backup; then ./mana up starts it."""
    moment = read_moment(at) if at else None
    if at and moment is None:
        raise LauncherError(f"{at} is no time of RFC 3339, such as 2027-01-31T12:00:00Z.")
    place, given = Place.from_environment(), settings.read()
    wish = restoring.Wish(folder.expanduser().absolute(), moment, wal and wal.expanduser().absolute())
    with screen.steps("looking for the servers") as show:
        packages.ensure(given, watch=show)
        restored = asyncio.run(restoring.restore(place, wish, given, show))
    told = f", its last transaction of {restored.last:%Y-%m-%dT%H:%M:%S.%fZ}" if restored.last else ""
    screen.results.print(f"{place.home} is restored{told}: ./mana up starts it.", markup=False)
    if restored.gap and not moment:
        lost = f"Archived WAL lacks …{restored.gap}: what was committed in it and after it is not there."
        screen.results.print(lost, style="yellow", markup=False)
    screen.results.print(restoring.AFTERWARDS, markup=False)
