"""What was applied to a database: the table ``mana.migrations``, which every room of ours may read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from migrations.errors import MigrationError
from migrations.files import Migration, Phase

_CREATE: Final = """
CREATE SCHEMA IF NOT EXISTS mana;
CREATE TABLE IF NOT EXISTS mana.migrations (
    number     integer     NOT NULL PRIMARY KEY,
    name       text        NOT NULL,
    phase      text        NOT NULL CHECK (phase IN ('expand', 'contract')),
    sha256     text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
REVOKE ALL ON SCHEMA mana FROM PUBLIC;
GRANT USAGE ON SCHEMA mana TO mana_api, mana_worker, mana_relay, mana_readonly;
GRANT SELECT ON mana.migrations TO mana_api, mana_worker, mana_relay, mana_readonly;
"""


@dataclass(frozen=True)
class Applied:
    """A migration as the database remembers it."""

    number: int
    label: str
    phase: Phase
    sha256: str


async def prepare(connection: asyncpg.Connection) -> None:
    """Makes the table where it is missing."""
    if await connection.fetchval("SELECT to_regclass('mana.migrations')") is None:
        async with connection.transaction():
            await connection.execute(_CREATE)


async def read(connection: asyncpg.Connection) -> list[Applied]:
    """What was applied, in order; nothing where the table is missing."""
    if await connection.fetchval("SELECT to_regclass('mana.migrations')") is None:
        return []
    rows = await connection.fetch("SELECT number, name, phase, sha256 FROM mana.migrations ORDER BY number")
    return [Applied(row["number"], f"{row['number']:04d}_{row['name']}", row["phase"], row["sha256"]) for row in rows]


async def record(connection: asyncpg.Connection, migration: Migration) -> None:
    """Remembers that a migration was applied."""
    await connection.execute(
        "INSERT INTO mana.migrations (number, name, phase, sha256) VALUES ($1, $2, $3, $4)",
        migration.number,
        migration.name,
        migration.phase,
        migration.sha256,
    )


def pending(migrations: Sequence[Migration], applied: Sequence[Applied]) -> list[Migration]:
    """What is still to be applied.

    What later versions have added is left alone: whoever goes back to this one can live with it. Raises MigrationError
    where an applied file is missing otherwise, or was changed, or a new one stands before an applied one.
    """
    known = {migration.number: migration for migration in migrations}
    newest = max(known, default=0)
    for past in applied:
        migration = known.get(past.number)
        if migration is None:
            if past.number > newest and past.phase == "expand":
                continue
            raise MigrationError(
                f"{past.label} was applied to this database but its file is missing: use a checkout that has it."
            )
        if migration.sha256 != past.sha256:
            raise MigrationError(f"{migration.label} was changed after it was applied: undo that, and add a new file.")
    done = {past.number for past in applied}
    missing = [migration for migration in migrations if migration.number not in done]
    if missing and done and missing[0].number < max(done):
        raise MigrationError(
            f"{missing[0].label} comes before {max(done):04d}, which was applied already: give it a higher number."
        )
    return missing
