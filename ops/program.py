"""What the supervisor needs to know about one process."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ops.identity import Identity

Probe = Callable[[], Awaitable[bool]]


async def _nothing_left() -> None:
    """Most programs leave nothing behind that could keep their next life out."""


@dataclass(frozen=True)
class Program:
    """How a process is started, known to be ready, and stopped.

    `make_way` is awaited before each start: it ends what an earlier life may have left. `descriptors` are ours, and are
    handed to it. `ready_path`: where each life is asked whether it is ready, on a socket of its own that it is handed
    besides; `probe` may be answered by another life, at the door that they share.
    """

    name: str
    argv: list[str]
    env: Mapping[str, str]
    cwd: Path
    probe: Probe
    url: str | None = None
    ready_path: str | None = None
    identity: Identity = field(default_factory=Identity)
    stop_signal: str = "TERM"
    stop_seconds: float = 20.0
    make_way: Callable[[], Awaitable[None]] = _nothing_left
    descriptors: tuple[int, ...] = ()
