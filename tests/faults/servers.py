"""Private servers that processes may be killed on."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ops import state
from ops.instance import Instance, private
from tests.faults import marker
from tests.faults.tools.disk import Disk, small_disk
from tests.faults.tools.errors import ToolError

_POSTGRES: Final = "postgres"
"""The name of PostgreSQL's folder among the servers' data."""


@contextmanager
def private_servers(
    *, partitions: int, name: str = "faults", postgres_disk: int | None = None, archived: bool = False
) -> Generator[Instance]:
    """PostgreSQL, RabbitMQ and Redis with schema, topology and a test database's mark; none of our processes.

    ``postgres_disk``: PostgreSQL's data gets a disk of its own, of so many MiB (:func:`disk_of`); raises
    ``NotPermittedError`` where that cannot be. ``archived``: its WAL is archived while it runs. Not to be entered while
    an event loop runs in the same thread.
    """
    with (
        _data(postgres_disk) as data,
        _archive(archived) as archive,
        private(
            workers=0,
            partitions=partitions,
            name=name,
            with_processes=False,
            database=marker.DATABASE,
            data=data,
            environment=archive,
        ) as instance,
    ):
        asyncio.run(marker.mark(instance.addresses.database_as("mana_owner")))
        yield instance


def disk_of(instance: Instance) -> Disk:
    """PostgreSQL's own disk. Raises ``ToolError`` where it shares the others'."""
    remembered = state.load(instance.place.state)
    folder = None if remembered is None else Path(remembered.data) / _POSTGRES
    if folder is None or not folder.is_symlink():
        raise ToolError("PostgreSQL has no disk of its own")
    return Disk(folder.resolve())


@contextmanager
def _archive(wanted: bool) -> Generator[dict[str, str]]:
    """What a start is told, so that WAL is archived."""
    if not wanted:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="mana-wal-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL's own user passes through it
        yield {"BACKUP_WAL_DIR": f"{folder}/wal"}


@contextmanager
def _data(postgres_disk: int | None) -> Generator[Path | None]:
    """A folder for the servers' data in which PostgreSQL's lies on another disk."""
    if postgres_disk is None:
        yield None
        return
    with small_disk(postgres_disk) as disk, tempfile.TemporaryDirectory(prefix="mana-data-") as folder:
        Path(folder).chmod(0o711)  # the servers' own users pass through it
        data = Path(folder) / "data"
        data.mkdir(mode=0o711)
        (data / _POSTGRES).symlink_to(disk.path)
        yield data
