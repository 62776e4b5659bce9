"""What is shipped holds all that its programs read, and nothing that could end a process at a crash point."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ops.place import CHECKOUT

_PACKAGES = ("api", "contracts", "migrations", "workers")
_DATA = {".sql", ".json", ".html", ".txt", ".lua", ".js", ".css"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The wheel's files, built by the project's own backend from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-deps",
            "--no-build-isolation",
            "--no-index",
            "-w",
            folder,
            CHECKOUT,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_it_holds_the_packages_whole_and_nothing_else(wheel: dict[str, bytes]) -> None:
    ours = {
        path.relative_to(CHECKOUT).as_posix()
        for package in _PACKAGES
        for path in (CHECKOUT / package).rglob("*")
        if path.suffix in {".py", *_DATA}
    }
    assert {name for name in wheel if ".dist-info/" not in name} == ours
    assert {Path(name).suffix for name in ours} == {".py", *_DATA}


def test_nothing_in_it_kills_or_names_a_crash(wheel: dict[str, bytes]) -> None:
    assert "workers/crash.py" in wheel
    assert "api/crash.py" in wheel
    for name, content in wheel.items():
        if name.endswith(".dist-info/METADATA"):
            continue  # the README, which names the repository's folders
        for word in (b"SIGKILL", b"MANA_CRASH_AT", b"MANA_MUTANT", b"tests/", b"tests.faults"):
            assert word not in content, name
