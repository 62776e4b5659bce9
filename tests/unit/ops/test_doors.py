"""The sockets that the supervisor holds for our processes: nobody else's answer is ever taken for theirs."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.handed_sockets import SETTING, handed
from ops import ports, probes
from ops.addresses import Addresses
from ops.child import Child
from ops.doors import Doors
from ops.errors import LauncherError
from ops.place import CHECKOUT
from ops.program import Program
from ops.programs import Programs
from ops.state import Secrets
from ops.status import Board

GIVEN = Addresses("postgresql://db/mana", "amqp://mq/", "http://mq:15672", "redis://cache", Secrets())
# Answers everybody with its process id, and takes a moment to begin, as a front does.
TELLS_ITS_PID = """
import os, sys, time
from contracts.handed_sockets import handed
[one] = handed()
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
while True:
    client, _ = one.accept()
    client.recv(4096)
    client.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n" + str(os.getpid()).encode())
    client.close()
"""
# The same at each of its doors.
ANSWERS_EVERYWHERE = """
import os, select, sys, time
from contracts.handed_sockets import handed
listening = handed()
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
while True:
    for one in select.select(listening, [], [])[0]:
        one.setblocking(False)
        try:
            client, _ = one.accept()
        except BlockingIOError:
            continue
        client.recv(4096)
        client.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
        client.close()
"""


@pytest.fixture
def doors() -> Iterator[Doors]:
    opened = Doors("127.0.0.1")
    yield opened
    opened.close("api")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_nobody_else_listens_where_a_door_is_open(doors: Doors, host: str) -> None:
    door = doors.open("api", ports.anywhere(None), ())
    with pytest.raises(OSError, match="in use") as refused:
        socket.create_server((host, door.port))
    assert refused.value.errno == errno.EADDRINUSE
    doors.close("api")
    socket.create_server((host, door.port)).close()


def test_who_was_there_first_keeps_the_port(doors: Doors) -> None:
    port = ports.choose(None, ())
    with socket.create_server(("127.0.0.1", port)):
        assert doors.open("api", ports.upwards(port), ()).port > port


def test_of_two_at_the_same_moment_one_goes_elsewhere(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have bound the port before either of them listens."""
    other, listen = Doors("127.0.0.1"), socket.socket.listen
    port = ports.choose(None, ())
    found: list[int] = []

    def late(self: socket.socket) -> None:
        monkeypatch.setattr(socket.socket, "listen", listen)
        found.append(other.open("api", ports.upwards(port), ()).port)
        listen(self)

    monkeypatch.setattr(socket.socket, "listen", late)
    found.append(doors.open("api", ports.upwards(port), ()).port)
    other.close("api")
    assert found[0] == port
    assert found[1] > port


def test_a_door_stays_where_it_is(doors: Doors) -> None:
    programs = Programs(GIVEN, 16, {}, doors)
    port = ports.choose(None, ())
    first = programs.api(port)
    with pytest.raises(OSError, match="in use"):  # the stranger that comes between choice and start
        socket.create_server(("127.0.0.1", port))
    again = programs.api(port)
    assert again.url == first.url == f"http://127.0.0.1:{port}"
    assert again.env[SETTING] == str(again.descriptors[0])


def test_a_process_is_told_of_its_own_door_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, "7")
    assert SETTING not in Programs(GIVEN, 16, {}).api(20_000).env


def test_every_address_of_a_host_is_taken() -> None:
    addresses = {found[0] for found in socket.getaddrinfo("localhost", 1, type=socket.SOCK_STREAM)}
    doors = Doors("localhost")
    assert len(doors.open("api", ports.anywhere(None), ()).descriptors) == len(addresses)
    doors.close("api")


def test_what_is_no_host_of_ours_is_said() -> None:
    with pytest.raises(LauncherError, match="MANA_BIND_HOST"):
        Doors("192.0.2.1").open("api", [20_000], ())


def test_no_port_left_is_said(doors: Doors) -> None:
    with pytest.raises(LauncherError, match="No free port"):
        doors.open("api", [32_767], {32_767})


def test_what_is_no_listening_socket_is_refused(tmp_path: Path) -> None:
    assert handed({}) == []
    with (tmp_path / "file").open("w") as file, socket.socket() as idle:
        for wrong in (str(file.fileno()), str(idle.fileno()), "999", "nine"):
            with pytest.raises(ValueError, match=f"{SETTING} names {wrong}"):
                handed({SETTING: wrong})
        assert idle.fileno() > 0


async def test_who_asks_while_it_is_started_again_is_answered_by_the_next_life(doors: Doors, tmp_path: Path) -> None:
    door = doors.open("api", ports.anywhere(None), ())
    url, may_begin = f"http://127.0.0.1:{door.port}", tmp_path / "begin"
    program = Program(
        "child",
        [sys.executable, "-c", TELLS_ITS_PID, str(may_begin)],
        {**os.environ, "PYTHONPATH": str(CHECKOUT), SETTING: str(door.descriptors[0])},
        tmp_path,
        probe=probes.http(url),
        url=url,
        descriptors=door.descriptors,
    )
    board = Board(tmp_path / "status.json")
    child = Child(lambda: program, tmp_path, board)
    told = board.status.processes[0]
    may_begin.touch()
    await child.ready(20)
    before = told.pid
    assert before is not None
    assert await _asked(door.port) == before
    may_begin.unlink()
    os.kill(before, signal.SIGKILL)
    async with asyncio.timeout(20):
        while told.pid in (None, before):
            await asyncio.sleep(0.01)
        waiting = asyncio.create_task(_asked(door.port))  # nobody takes connections now, and none is refused
        await asyncio.sleep(0)
        may_begin.touch()
        assert await waiting == told.pid
    await child.stop()


async def _asked(port: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return int(answer.split(b"\r\n\r\n")[1])


async def test_of_two_lives_at_one_door_each_is_asked_by_itself(doors: Doors, tmp_path: Path) -> None:
    """The first would answer for the second, which is not ready yet."""
    door = doors.open("api", ports.anywhere(None), ())
    children: list[Child] = []
    board = Board(tmp_path / "status.json")
    for number in (1, 2):
        program = Program(
            "child",
            [sys.executable, "-c", ANSWERS_EVERYWHERE, str(tmp_path / f"begin-{number}")],
            {**os.environ, "PYTHONPATH": str(CHECKOUT)},
            tmp_path,
            probe=probes.http(f"http://127.0.0.1:{door.port}/"),
            ready_path="/",
            descriptors=door.descriptors,
        )
        children.append(Child(lambda program=program: program, tmp_path, board))
    (tmp_path / "begin-1").touch()
    await children[0].ready(20)
    assert board.status.processes[1].asked != board.status.processes[0].asked
    with pytest.raises(LauncherError, match="not ready"):
        await children[1].ready(0.5)
    (tmp_path / "begin-2").touch()
    await children[1].ready(20)
    await asyncio.gather(*(child.stop() for child in children))
