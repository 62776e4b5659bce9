"""One supervised process: started, watched, started again, stopped."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from ops import doors, probes
from ops.adopted import Adopted
from ops.errors import LauncherError
from ops.kernel import ProcessId
from ops.program import Probe, Program
from ops.status import Board, ProcessState, ProcessStatus

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_PROBE_WHILE_STARTING = 0.1
_PROBE_WHILE_UNREADY = 1.0
_PROBE_WHILE_READY = 5.0
# Who is ready and dies sooner than this gets a pause all the same (seconds): no restart spins.
_SHORTEST_LIFE = 1.0
# So often may a process die before it was ever ready, until the first start is given up.
_HOPELESS = 4

log = logging.getLogger(__name__)


class Child:
    """Keeps one program running until it is told to stop.

    What dies after it had been ready is started again at once; what dies before, after a pause that doubles from
    0.5 s to 30 s. `recipe` is asked anew for each start. `told`: what the board tells of it already, from before this
    supervisor became another version of itself; the process that runs goes on, and its next life is the recipe's.
    """

    def __init__(
        self, recipe: Callable[[], Program], logs: Path, board: Board, told: ProcessStatus | None = None
    ) -> None:
        self.program = recipe()
        self._recipe = recipe
        self._board = board
        self._logs = logs
        self._log_path = logs / f"{self.program.name}.log"
        self._entry = told or board.add(self.program)
        self._adopted = Adopted.of(told.process) if told and told.process else None
        self._process: asyncio.subprocess.Process | Adopted | None = self._adopted
        self._stopping = asyncio.Event()
        self._free = asyncio.Event()
        self._free.set()
        self._was_ready = False
        self._up = asyncio.Event()
        self.exit_status: int | None = None
        """Of the last life that ended: negative for the signal that ended it, ``None`` before."""
        self._first_ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if told:
            self._first_ready.set_result(None)
        self._task = asyncio.create_task(self._keep_running(), name=self.program.name)

    async def ready(self, patience: float) -> None:
        """Wait until it is ready for the first time. Raises LauncherError when that does not come (seconds)."""
        try:
            await asyncio.wait_for(asyncio.shield(self._first_ready), patience)
        except TimeoutError:
            raise LauncherError(self._complaint(f"was not ready within {patience:.0f} s")) from None

    async def stop(self) -> None:
        """Ask it to end, wait as long as its program allows, then kill it."""
        if not self._stopping.is_set():  # told twice, some end at once, with what they have begun
            self._stopping.set()
            self._free.set()
            self._tell("stopping")
            self._signal(signal.Signals[f"SIG{self.program.stop_signal}"])
        await self._ended(self._task)
        self._tell("stopped")

    async def dismiss(self) -> None:
        """Stop it for good: nothing is told of it any more."""
        await self.stop()
        self._board.remove(self._entry)

    def successor(self) -> Self:
        """Another process of the same recipe, started now."""
        return type(self)(self._recipe, self._logs, self._board)

    async def hold(self) -> None:
        """End it in order, and start it no more until it is released."""
        self._free.clear()
        self._signal(signal.Signals[f"SIG{self.program.stop_signal}"])
        if self._process is not None:
            await self._ended(asyncio.create_task(self._process.wait()))

    async def release(self, patience: float) -> None:
        """Start what was held, and wait until it is ready. Raises LauncherError when that does not come (seconds)."""
        self._up.clear()
        self._free.set()
        try:
            await asyncio.wait_for(self._up.wait(), patience)
        except TimeoutError:
            raise LauncherError(self._complaint(f"was not ready again within {patience:.0f} s")) from None

    def renew(self, program: Program, number: signal.Signals | None = None) -> None:
        """From now on it is this program, also when it is started again; `number` tells the one that runs."""
        self.program, self._recipe = program, lambda: program
        if number is not None:
            self._signal(number)

    async def _ended(self, end: asyncio.Task[Any]) -> None:
        done, _ = await asyncio.wait([end], timeout=self.program.stop_seconds)
        if not done:
            log.warning("%s did not stop in %s s: killed", self.program.name, self.program.stop_seconds)
            self._signal(signal.SIGKILL)
            await end

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def _keep_running(self) -> None:
        pause, deaths = _FIRST_PAUSE, 0
        while self._adopted is not None or not self._stopping.is_set():
            began = time.monotonic()
            was_ready = await self._live()
            self._entry.process = None
            if not self._free.is_set():
                self._tell("waiting")
                await self._free.wait()
                if not self._stopping.is_set():
                    continue
            if self._stopping.is_set():
                return
            self._entry.restarts += 1
            self._tell("waiting")
            if was_ready and time.monotonic() - began > _SHORTEST_LIFE:
                pause, deaths = _FIRST_PAUSE, 0
                continue
            deaths += 1
            if deaths >= _HOPELESS and not self._first_ready.done():
                self._first_ready.set_exception(LauncherError(self._complaint("does not start")))
            await _rest(self._stopping, pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _live(self) -> bool:
        """One life, from start to death; whether it was ready in it. What cannot even be started lived not at all."""
        if self._adopted is not None:
            return await self._live_on(self._adopted)
        try:
            self.program = program = self._recipe()
            await program.make_way()
            if self._stopping.is_set():
                return False
            self._process = process = await self._spawn(program)
        except (OSError, LauncherError) as error:
            log.error("%s could not be started: %s", self.program.name, error)  # noqa: TRY400 - the message has it all
            return False
        self._entry.process, self._entry.url = ProcessId.of(process.pid), program.url
        self._was_ready = False
        log.info("%s started, pid %s", program.name, process.pid)
        if self._stopping.is_set() or not self._free.is_set():  # while it was being started
            self._signal(signal.Signals[f"SIG{program.stop_signal}"])
        else:
            self._tell("starting")
        return await self._until_death(process)

    async def _live_on(self, process: Adopted) -> bool:
        """The rest of a life that began before this supervisor became what it is."""
        self._adopted = None
        self._was_ready = self._entry.state in ("ready", "unready")
        log.info("%s goes on, pid %s", self.program.name, process.pid)
        return await self._until_death(process)

    async def _until_death(self, process: asyncio.subprocess.Process | Adopted) -> bool:
        watch = asyncio.create_task(self._watch())
        self.exit_status = code = await process.wait()
        watch.cancel()
        level = logging.INFO if self._stopping.is_set() else logging.WARNING
        log.log(level, "%s ended, status %s", self.program.name, code)
        return self._was_ready

    async def _spawn(self, program: Program) -> asyncio.subprocess.Process:
        # Straight into the file, not through us: a process outlives neither its log nor is it held up by us.
        with self._log_path.open("ab") as output, doors.of_one_life(program) as (life, asked):
            self._entry.asked = asked
            return await asyncio.create_subprocess_exec(
                *program.identity.command(program.argv, death_signal=program.stop_signal),
                cwd=program.cwd,
                env=dict(life.env),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=life.descriptors,
                start_new_session=True,  # Ctrl-C in a terminal is the supervisor's to handle, in order
            )

    async def _watch(self) -> None:
        """Keep the state that is shown true for as long as the process lives."""
        while True:
            answers = await self._probe()
            if answers and not self._was_ready:
                self._was_ready = True
                self._up.set()
                if not self._first_ready.done():
                    self._first_ready.set_result(None)
            if self._was_ready and not self._stopping.is_set():
                self._tell("ready" if answers else "unready")
            await asyncio.sleep(self._pause_of_probes(answers=answers))

    @property
    def _probe(self) -> Probe:
        return probes.http(self._entry.asked) if self._entry.asked else self.program.probe

    def _pause_of_probes(self, *, answers: bool) -> float:
        """Death is seen at once without any probe; they only tell whether a living process does its work."""
        if not self._was_ready:
            return _PROBE_WHILE_STARTING
        return _PROBE_WHILE_READY if answers else _PROBE_WHILE_UNREADY

    def _tell(self, state: ProcessState) -> None:
        if self._entry.state != state or state == "starting":
            self._entry.state = state
            self._board.publish()

    def _complaint(self, what: str) -> str:
        with contextlib.suppress(OSError):
            lines = self._log_path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            last = lines[-1][:200] if lines else "its log is empty"
            return f"{self.program.name} {what} (its last words: {last}): see {self._log_path}."
        return f"{self.program.name} {what}: see {self._log_path}."


async def _rest(stopping: asyncio.Event, seconds: float) -> None:
    """Wait, but not on once there is nothing to wait for."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
