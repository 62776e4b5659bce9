"""ops/postgres/archive.sh: a segment is in the archive whole, or not at all, and is never replaced."""

from __future__ import annotations

import gzip
import os
import subprocess
from pathlib import Path

import pytest

from ops.place import CHECKOUT

SCRIPT = CHECKOUT / "ops" / "postgres" / "archive.sh"
NAME = "000000010000000000000007"
CONTENT = bytes(range(256)) * 4096


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    (tmp_path / "wal").mkdir()
    (tmp_path / NAME).write_bytes(CONTENT)
    return tmp_path / NAME


def _archived(segment: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """As PostgreSQL asks for it; ``before``: what its shell does first."""
    command = f'{before} sh "{SCRIPT}" "{segment.name}" "{segment.parent}/wal/{segment.name}"'
    return subprocess.run(["sh", "-c", command], cwd=segment.parent, capture_output=True, text=True, check=False)


def _there(segment: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (segment.parent / "wal").iterdir()}


def test_a_segment_is_archived_and_asked_for_again_it_is_there_already(segment: Path) -> None:
    for _ in range(2):
        done = _archived(segment)
        assert (done.returncode, done.stderr) == (0, "")
        ((name, held),) = _there(segment).items()
        assert (name, gzip.decompress(held)) == (f"{NAME}.gz", CONTENT)


def test_what_is_there_is_never_replaced(segment: Path) -> None:
    _archived(segment)
    before = _there(segment)
    segment.write_bytes(CONTENT[::-1])
    done = _archived(segment)
    assert done.returncode == 1
    assert "holds something else" in done.stderr
    assert _there(segment) == before


def test_where_there_is_no_room_it_is_not_there_and_comes_once_there_is(segment: Path) -> None:
    segment.write_bytes(CONTENT + os.urandom(1 << 20))
    assert _archived(segment, "ulimit -f 64;").returncode != 0
    assert f"{NAME}.gz" not in _there(segment)
    assert _archived(segment).returncode == 0
    assert set(_there(segment)) == {f"{NAME}.gz"}


def test_where_the_folder_is_gone_it_is_refused(segment: Path) -> None:
    (segment.parent / "wal").rmdir()
    assert _archived(segment).returncode != 0
