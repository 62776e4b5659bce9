"""What the supervisor needs to know about one process."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ops.identity import Identity

Probe = Callable[[], Awaitable[bool]]


@dataclass(frozen=True)
class Program:
    """How a process is started, known to be ready, and stopped."""

    name: str
    argv: list[str]
    env: Mapping[str, str]
    cwd: Path
    probe: Probe
    url: str | None = None
    identity: Identity = field(default_factory=Identity)
    stop_signal: str = "TERM"
    stop_seconds: float = 20.0
