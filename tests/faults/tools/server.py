"""A server of a private instance, as its supervisor knows it: to be killed, and started again by that supervisor."""

from __future__ import annotations

import os
import signal
from typing import Final

from ops.instance import Instance
from ops.kernel import ProcessId
from ops.status import ProcessStatus
from tests.faults.tools.errors import ToolError
from tests.faults.tools.telling import until

_DEATH_SECONDS: Final = 20.0


class Server:
    """One of the servers, by its name in ``./mana status``."""

    def __init__(self, instance: Instance, name: str) -> None:
        self.name = name
        self._instance = instance

    @property
    def process(self) -> ProcessId:
        """It as it runs now. Raises ``ToolError`` while it does not."""
        process = self._entry().process
        if process is None or not process.is_alive():
            raise ToolError(f"{self.name} does not run")
        return process

    @property
    def restarts(self) -> int:
        """How often its supervisor has started it again."""
        return self._entry().restarts

    async def end(self, number: signal.Signals) -> None:
        """Signals this very process, and waits until it is dead."""
        process = self.process
        os.kill(process.pid, number)

        async def dead() -> bool:
            return not process.is_alive()

        await until(dead, f"{self.name} ends by {number.name}", _DEATH_SECONDS)

    async def ready(self, within: float) -> None:
        """Returns once it runs, and its supervisor has found it ready."""

        async def look() -> bool:
            entry = self._entry()
            return entry.state == "ready" and entry.process is not None and entry.process.is_alive()

        await until(look, f"{self.name} is up", within, self._instance.place.logs / f"{self.name}.log")

    def _entry(self) -> ProcessStatus:
        return next(entry for entry in self._instance.status.processes if entry.name == self.name)
