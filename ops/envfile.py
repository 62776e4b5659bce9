"""`.mana/env`: the addresses of a running instance, for people and programs, as lines that a shell reads."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from ops import private_file


def write(path: Path, values: Mapping[str, str]) -> None:
    """Write it so that only its owner can read it: the addresses hold passwords."""
    private_file.write(path, "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items()))


def read(path: Path) -> dict[str, str]:
    """The values, empty where nothing runs."""
    if not path.exists():
        return {}
    words = shlex.split(path.read_text(encoding="utf-8"))
    return dict(word.split("=", 1) for word in words if "=" in word)
