"""``python -m migrations``: brings the schema up to date and says what it applied. Exit 1 with one sentence if not."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from contracts.topology import PARTITIONS_MAX
from migrations.errors import MigrationError
from migrations.runner import Wish, migrate


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="migrations", description="Applies the migrations that are missing.")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be applied")
    parser.add_argument("--to", type=int, metavar="N", help="apply no more than up to number N")
    parser.add_argument(
        "--beside", type=int, metavar="N", help="no more than programs of before survive; those to come need number N"
    )
    return parser.parse_args()


def _partitions() -> int | None:
    value = os.environ.get("MANA_PARTITIONS")
    if not value:
        return None
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= PARTITIONS_MAX:
        raise MigrationError(f"MANA_PARTITIONS is {value!r}: it must be a whole number from 1 to {PARTITIONS_MAX}.")
    return int(value)


def _url() -> str:
    url = os.environ.get("DATABASE_URL")
    if not url:
        raise MigrationError("DATABASE_URL is not set: give it the address of the database as its owner, mana_owner.")
    return url


def main() -> int:
    """Runs the migrations as the environment and the arguments say; answers the exit status."""
    arguments = _arguments()
    try:
        wish = Wish(up_to=arguments.to, beside=arguments.beside, partitions=_partitions(), dry_run=arguments.dry_run)
        asyncio.run(migrate(_url(), wish, lambda line: print(line, flush=True)))
    except MigrationError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
