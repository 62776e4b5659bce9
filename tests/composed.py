"""docker-compose.yml, read as Docker Compose reads it."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from ops.place import CHECKOUT

FILE: Final = CHECKOUT / "docker-compose.yml"
COMPOSED: Final[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSED["services"]
OURS: Final = tuple(name for name, service in SERVICES.items() if service["image"] == "mana:local")
_VALUE: Final = re.compile(r"\$\{(\w+)(?::-((?:[^${}]|\$\{[^}]*\})*))?\}")


def filled(value: str, environment: dict[str, str]) -> str:
    """A value with what is said in ``${NAME:-default}`` filled in, and ``$$`` as a dollar."""

    def of(match: re.Match[str]) -> str:
        return environment.get(match[1]) or filled(match[2] or "", environment)

    return _VALUE.sub(of, value).replace("$$", "$")


def environment_of(service: str, given: dict[str, str]) -> dict[str, str]:
    """What the service's processes find in their environment; ``given`` stands for .env."""
    listed: dict[str, str | None] = SERVICES[service].get("environment", {})
    told = {name: given.get(name) if value is None else filled(str(value), given) for name, value in listed.items()}
    return {name: value for name, value in told.items() if value is not None}
