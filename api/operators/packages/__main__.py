"""``python -m api.operators.packages apply FILE [--dry-run] [--retire-all]``, or ``list``: what can be bought."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from api.credits.packages.store import list_packages
from api.credits.views import Package
from api.database import Database
from api.errors import Unavailable
from api.operators.packages.applying import apply
from api.operators.packages.reading import NoPackages, read
from api.operators.packages.showing import as_file, differences
from api.operators.settings import OwnerSettings
from api.settings import complaints

_NAME = "mana-packages"


async def _list(settings: OwnerSettings) -> str:
    async with Database.connected(settings.database_url, 1, _NAME) as database, database.transaction() as connection:
        return as_file(await list_packages(connection, retired=True))


async def _apply(settings: OwnerSettings, declared: Sequence[Package], dry_run: bool) -> str:
    async with Database.connected(settings.database_url, 1, _NAME) as database:
        changes = await apply(database, declared, dry_run=dry_run)
    would = dry_run and any(change.kind != "unchanged" for change in changes)
    return differences(changes) + ("\nNothing was changed: this was a dry run.\n" if would else "\n")


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./mana packages", description="What can be bought.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    applying = commands.add_parser("apply")
    applying.add_argument("file", metavar="FILE", type=Path)
    applying.add_argument("--dry-run", action="store_true")
    applying.add_argument("--retire-all", action="store_true")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 when it is done, 1 when the database is away, 2 for what cannot be meant: nothing was changed."""
    asked = _asked(arguments)
    try:
        settings = OwnerSettings()  # pyright: ignore[reportCallIssue] - the environment gives them
        if asked.command == "list":
            told = asyncio.run(_list(settings))
        else:
            declared = read(asked.file.read_text(encoding="utf-8-sig"))
            if not (declared or asked.retire_all):
                sys.stderr.write(f"{asked.file} declares no package, and would retire all: say so by --retire-all.\n")
                return 2
            told = asyncio.run(_apply(settings, declared, asked.dry_run))
    except ValidationError as error:
        sys.stderr.write("\n".join(complaints(error)) + "\n")
        return 2
    except NoPackages as error:
        sys.stderr.write("".join(f"{asked.file}, {complaint}\n" for complaint in error.complaints))
        return 2
    except (OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"{asked.file} cannot be read: {error}.\n")
        return 2
    except Unavailable as error:
        sys.stderr.write(f"Nothing was changed: {error}.\n")
        return 1
    sys.stdout.write(told)
    return 0


if __name__ == "__main__":
    sys.exit(main())
