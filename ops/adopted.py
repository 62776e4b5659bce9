"""A process that the supervisor started before it became another version of itself: still its child, to be awaited."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Iterable
from typing import Self

from ops import kernel
from ops.kernel import ProcessId

log = logging.getLogger(__name__)


class Adopted:
    """As `asyncio.subprocess.Process`, as far as supervision needs it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._loop = asyncio.get_running_loop()
        self._end: asyncio.Future[int] = self._loop.create_future()
        self._descriptor = os.pidfd_open(pid)
        self._loop.add_reader(self._descriptor, self._reap)

    @classmethod
    def of(cls, told: ProcessId) -> Self | None:
        """The child that was told of, None when it has ended, or is somebody else's."""
        try:
            ended = os.waitid(os.P_PID, told.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return None
        # A child that was not waited for keeps its number; one that runs must be the very same.
        return cls(told.pid) if ended is not None or told.is_alive() else None

    def send_signal(self, number: signal.Signals) -> None:
        """Signal it, unless it is gone."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def wait(self) -> int:
        """Its exit status once it has ended: negative for the signal that ended it."""
        return await asyncio.shield(self._end)

    def _reap(self) -> None:
        _, status = os.waitpid(self.pid, 0)
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        self.returncode = os.waitstatus_to_exitcode(status)
        self._end.set_result(self.returncode)


def end_strays(told: Iterable[ProcessId | None]) -> None:
    """Kill the children that nobody was told of: one was being started when this supervisor became another version."""
    for pid in kernel.children() - {process.pid for process in told if process}:
        log.warning("pid %s was being started: ending it", pid)
        Adopted(pid).send_signal(signal.SIGKILL)
