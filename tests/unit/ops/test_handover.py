"""A supervisor becomes another version of itself: the same process, with the same children, doors and lock."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from socket import create_connection

import pytest

from ops import handover, lock
from ops.errors import LauncherError
from ops.place import CHECKOUT, Place
from ops.status import Status, load

# Of its package only the supervisor is another one.
PACKAGE = f"""
import sys
sys.path.append({str(CHECKOUT)!r})
__path__.append({str(CHECKOUT / "ops")!r})
"""
# Tells its version, and has one child, which tells its process id at its door.
SUPERVISOR = """
import asyncio, os, signal, sys
from pathlib import Path
from ops import handover, lock, ports, probes, status
from ops.child import Child
from ops.doors import Doors
from ops.errors import LauncherError
from ops.place import Place
from ops.program import Program
from ops.status import Board

TELLS_ITS_PID = '''
import os, select
from contracts.handed_sockets import handed
listening = handed()
while True:
    for one in select.select(listening, [], [])[0]:
        client, _ = one.accept()
        client.recv(4096)
        client.sendall(b"HTTP/1.1 200 OK\\\\r\\\\n\\\\r\\\\n" + str(os.getpid()).encode())
        client.close()
'''

async def supervise(place, held, left):
    loop, over, asked = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    loop.add_signal_handler(signal.SIGUSR1, asked.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, handover.SIGNALS)
    doors = Doors("127.0.0.1")
    doors.adopt(left.doors if left else {})
    door = doors.open("child", ports.anywhere(None), ())
    url = f"http://127.0.0.1:{door.port}"
    env = {**os.environ, "PYTHONPATH": CHECKOUT}
    argv = [sys.executable, "-c", TELLS_ITS_PID]
    program = Program("child", argv, env, place.home, probes.http(url), url, "/", descriptors=door.descriptors)
    board = Board(place.status, status.load(place.status) if left else None)
    child = Child(lambda: program, place.home, board, board.status.processes[0] if left else None)
    await child.ready(20)
    board.step(VERSION)
    while not over.is_set():
        await asyncio.wait([asyncio.create_task(one.wait()) for one in (over, asked)], return_when="FIRST_COMPLETED")
        if asked.is_set():
            asked.clear()
            try:
                wish = handover.Wish("1", sys.executable, (place.home / "wished").read_text())
                await handover.succeed(wish, handover.Handover(held, doors.all()), place)
            except LauncherError as refusal:
                board.step(str(refusal))
    await child.stop()

place = Place(Path(sys.argv[1]))
if "--check" in sys.argv:
    handover.read(place)
    sys.exit(0)
left = handover.take(place) if "--taking-over" in sys.argv else None
if VERSION == "told to stop":
    os.kill(os.getpid(), signal.SIGTERM)
with lock.held(place.lock, left.lock if left else None) as held:
    asyncio.run(supervise(place, held, left))
"""


def _checkout(folder: Path, version: str) -> Path:
    package = folder / version / "ops"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(PACKAGE)
    (package / "supervisor.py").write_text(f"CHECKOUT, VERSION = {str(CHECKOUT)!r}, {version!r}\n{SUPERVISOR}")
    return folder / version


class Supervised:
    """A place, and the process that supervises in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = Place(folder)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ops.supervisor", str(folder)],
            env={**os.environ, "PYTHONPATH": str(_checkout(folder, "first"))},
        )

    def told(self, step: str) -> Status:
        """The status, once it says this."""
        latest = time.monotonic() + 20
        while time.monotonic() < latest:
            told = load(self.place.status)
            if told and step in told.step:
                return told
            assert self.process.poll() is None
            time.sleep(0.01)
        raise AssertionError(load(self.place.status))

    def become(self, checkout: Path) -> None:
        (self.folder / "wished").write_text(str(checkout))
        self.process.send_signal(signal.SIGUSR1)


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervised]:
    running = Supervised(tmp_path)
    yield running
    running.process.kill()
    running.process.wait()


def _asked(url: str | None) -> int:
    assert url
    with closing(create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 20)) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        return int(client.makefile().read().split("\n\n")[1])


def test_everything_goes_on(supervised: Supervised, tmp_path: Path) -> None:
    before = supervised.told("first").processes[0]
    broken = _checkout(tmp_path, "broken")
    (broken / "ops" / "supervisor.py").write_text("def (:\n")
    supervised.become(broken)
    assert supervised.told("the new version does not start: SyntaxError").processes == [before]
    supervised.become(tmp_path / "nowhere")
    assert supervised.told("No such file or directory").processes == [before]
    assert not supervised.place.handover.exists()
    supervised.become(_checkout(tmp_path, "second"))
    told = supervised.told("second")
    assert told.supervisor.pid == supervised.process.pid
    assert told.processes[0].process == before.process
    assert _asked(before.url) == before.pid
    with pytest.raises(lock.PlaceTakenError), lock.held(supervised.place.lock):
        pass
    assert before.process
    before.process.send(signal.SIGKILL)
    while (after := supervised.told("second").processes[0]).process in (None, before.process) or after.state != "ready":
        time.sleep(0.01)
    assert _asked(before.url) == after.pid
    supervised.process.terminate()
    assert supervised.process.wait(20) == 0
    assert after.process
    assert not after.process.is_alive()


def test_a_signal_in_the_midst_of_it_is_heard_afterwards(supervised: Supervised, tmp_path: Path) -> None:
    """Without a handler it would end the new supervisor before it knows of its children, and they would be killed."""
    child = supervised.told("first").processes[0].process
    supervised.become(_checkout(tmp_path, "told to stop"))
    assert supervised.process.wait(20) == 0, "in order"
    assert child
    assert not child.is_alive()


def test_what_cannot_be_started_leaves_everything_as_it_was(tmp_path: Path) -> None:
    mask, here = signal.pthread_sigmask(signal.SIG_BLOCK, ()), Path.cwd()
    with (tmp_path / "lock").open("w") as held:
        wish = handover.Wish("1", str(tmp_path / "no-python"), str(tmp_path))
        with pytest.raises(LauncherError, match="cannot be started"):
            handover.become(wish, [held.fileno()])
        assert fcntl.fcntl(held, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    assert Path.cwd() == here
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask


def test_what_was_left_in_words_of_another_version_is_refused(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.handover.write_text('{"doors": {}}')
    with pytest.raises(LauncherError, match="not understood"):
        handover.take(place)
