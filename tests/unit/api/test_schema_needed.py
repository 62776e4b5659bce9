"""The schema that the front asks for, and the one that this code was written with."""

from __future__ import annotations

from api.fitness import schema
from contracts.schema import KNOWN
from migrations import files

ALL = files.read_all(files.FOLDER)


def test_the_newest_migration_is_known() -> None:
    assert ALL[-1].number == KNOWN


def test_all_that_adds_is_needed() -> None:
    """What only the bodies of functions changed, no statement can miss: so the number is the newest one's, but for
    those at the end that only take away, which may come when all processes are of this version."""
    needed = max(migration.number for migration in ALL if migration.phase == "expand")
    assert needed <= schema.SCHEMA_NEEDED <= KNOWN
