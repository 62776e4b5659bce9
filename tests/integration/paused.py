"""A process that does nothing for a while, and does not know of it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def paused(child: asyncio.subprocess.Process) -> Generator[None]:
    """SIGSTOP until the block ends, then SIGCONT."""
    child.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        child.send_signal(signal.SIGCONT)
