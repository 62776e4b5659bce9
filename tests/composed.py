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


def base_of(service: str) -> str:
    """The image that the service's own is built upon."""
    dockerfile = CHECKOUT / SERVICES[service]["build"] / "Dockerfile"
    (image,) = re.findall(r"^FROM (\S+)", dockerfile.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return image


def mounted(service: str, environment: dict[str, str]) -> dict[str, str]:
    """What lies at each path that is mounted in the service: a volume's name, or a path; ``environment`` stands for
    .env."""
    volumes = (filled(volume, environment).split(":") for volume in SERVICES[service].get("volumes", []))
    return {target: source for source, target, *_ in volumes}


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
