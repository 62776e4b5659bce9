"""The front asks for the schema that it was written with."""

from __future__ import annotations

from api.fitness import schema
from migrations import files


def test_the_newest_migration_is_needed() -> None:
    """What only the bodies of functions changed, no statement can miss: so the number is the newest one's."""
    assert max(migration.number for migration in files.read_all(files.FOLDER)) == schema.SCHEMA_NEEDED
