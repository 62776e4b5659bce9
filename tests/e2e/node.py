"""Node.js and npm, for tests that a machine without npm's registry skips."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import npm
from tests.npm import SURROUNDINGS

__all__ = ["NODE", "SURROUNDINGS", "install", "programs"]

NODE = npm.node()


def install(folder: Path) -> None:
    """`npm ci` there. Skips the test where the registry cannot be reached: bare machines have PyPI and apt only."""
    try:
        npm.install(folder)
    except npm.MissingError as missing:
        pytest.skip(str(missing))


def programs(folder: Path) -> Path:
    """`node` and `npm` as commands, in that new folder: as they come, `npm` does not find its own parts."""
    folder.mkdir()
    (folder / "node").symlink_to(NODE)
    command = folder / "npm"
    command.write_text(f'#!/bin/sh\nexec "{NODE}" "{npm.cli()}" "$@"\n')
    command.chmod(0o755)
    return folder
