"""Which process is held while which password changes, and what is known when a change breaks off."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from contracts.topology import ADMIN_LOGIN, LOGINS
from ops import rotating, rotation, status
from ops.addresses import Addresses
from ops.broker_logins import password_hash
from ops.child import Child
from ops.errors import LauncherError
from ops.layout import Layout
from ops.place import Place
from ops.programs import ProcessSettings, Programs
from ops.roster import OURS
from ops.servers.rabbitmq import RabbitMQ, RabbitPorts
from ops.servers.redis import Redis
from ops.state import DATABASE_ROLES, Secrets, State
from ops.urls import login_of

_ADDRESSES = Addresses("postgresql://h/d", f"amqp://{ADMIN_LOGIN}:x@h/", "http://h", "redis://h", Secrets())
_TOLD = ProcessSettings(_ADDRESSES, 1)
_SETTINGS = {"workers": _TOLD.worker, "clock": _TOLD.worker}


def test_every_process_is_of_one_kind_and_kinds_share_no_login() -> None:
    assert Counter(stage for kind in rotation.KINDS for stage in kind.stages) == Counter(OURS)
    for name in ("role", "login"):
        used = [value for kind in rotation.KINDS if (value := getattr(kind, name))]
        assert len(set(used)) == len(used)


@pytest.mark.parametrize("kind", rotation.KINDS)
def test_a_kind_logs_in_as_what_is_changed_while_it_is_held(kind: rotation.Kind) -> None:
    for stage in kind.stages:
        told = _SETTINGS.get(stage, getattr(_TOLD, stage, None))
        assert told is not None
        values = told()
        assert login_of(values["DATABASE_URL"])[0] == kind.role
        assert login_of(values["AMQP_URL"])[0] == kind.login
        assert ("REDIS_URL" in values) == kind.uses_redis


def test_no_role_and_no_login_is_left_out() -> None:
    roles = {kind.role for kind in rotation.KINDS} | set(rotation.ROLES_OF_NO_PROCESS)
    assert roles == set(DATABASE_ROLES)
    logins = {kind.login for kind in rotation.KINDS} | set(rotation.LOGINS_OF_NO_PROCESS)
    assert logins == {login.name for login in LOGINS}


@pytest.fixture
def board(tmp_path: Path) -> status.Board:
    """Of a supervisor, which is this process, with everything ready."""
    board = status.Board(Place(tmp_path).status)
    board.phase("ready")
    return board


def test_who_asks_while_passwords_change_is_refused(tmp_path: Path, board: status.Board) -> None:
    board.status.rotation = status.Asked("first")
    board.publish()
    with pytest.raises(LauncherError, match="being done already"):
        rotating.change(Place(tmp_path), rotation.PARTS, lambda _step: None)
    assert not Place(tmp_path).rotation.exists()


def test_of_two_who_ask_at_once_one_waits_for_nothing(tmp_path: Path, board: status.Board) -> None:
    board.status.rotation = status.Asked("earlier", ended=True)
    board.publish()

    def take_another(*_: object) -> None:
        board.status.rotation = status.Asked("another", ended=True)
        board.publish()

    before = signal.signal(signal.SIGUSR1, take_another)
    try:
        with pytest.raises(LauncherError, match="Somebody else asked for the same before"):
            rotating.change(Place(tmp_path), rotation.PARTS, lambda _step: None)
    finally:
        signal.signal(signal.SIGUSR1, before)


def _rotation(plan: Layout, remembered: State) -> rotation.Rotation:
    """Of a place where nothing of ours runs."""
    stages: dict[str, list[Child]] = {name: [] for name in (*OURS, "servers")}
    return rotation.Rotation(plan, remembered, Programs(plan.addresses, 1, {}), stages, lambda _addresses: None)


class DeafRedis:
    """Takes a new password, and then nothing more."""

    password: str | None = None

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while count := (await reader.readline())[1:]:
            words: list[bytes] = []
            for _ in range(int(count)):
                size = int((await reader.readline())[1:])
                words.append((await reader.readexactly(size + 2))[:-2])
            match words:
                case [b"HELLO", *_]:
                    writer.write(b"%1\r\n+proto\r\n:3\r\n")
                case [b"CLIENT", b"KILL", *_]:
                    writer.write(b"-ERR no\r\n")
                case [b"CONFIG", b"SET", _, password]:
                    self.password = password.decode()
                    writer.write(b"+OK\r\n")
                case _:
                    writer.write(b"+OK\r\n")
        writer.close()


async def test_a_password_that_redis_took_is_known_whatever_comes_then(tmp_path: Path) -> None:
    server = DeafRedis()
    async with await asyncio.start_server(server.answer, "127.0.0.1", 0) as listening:
        redis = Redis(tmp_path / "redis", listening.sockets[0].getsockname()[1], "former")
        remembered = State(str(tmp_path))
        addresses = replace(_ADDRESSES, redis=redis.url, secrets=remembered.secrets)
        with pytest.raises(LauncherError):
            await _rotation(Layout(None, None, None, redis, addresses, []), remembered).run(["redis"])
    assert server.password
    assert remembered.secrets.redis == server.password


class BrokenManagement(BaseHTTPRequestHandler):
    """Of a broker that takes its administrator's first new password, and does not say so."""

    known: str
    answers: bool

    def _answer(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or "{}")
        login = base64.b64decode(self.headers["authorization"].split()[1]).decode()
        admitted = password_hash(login.partition(":")[2]) == BrokenManagement.known
        if admitted and self.command == "PUT" and self.path.endswith(f"/{ADMIN_LOGIN}"):
            BrokenManagement.known = body["password_hash"]
            if not BrokenManagement.answers:
                BrokenManagement.answers = True
                return
        self.send_response(200 if admitted else 401)
        self.end_headers()

    do_GET = do_PUT = do_DELETE = _answer  # noqa: N815 - the names are the library's

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Tests are quiet."""


@pytest.fixture
def broken_management() -> Iterator[int]:
    """Its port."""
    BrokenManagement.known, BrokenManagement.answers = password_hash("former"), False
    with ThreadingHTTPServer(("127.0.0.1", 0), BrokenManagement) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


async def test_a_change_that_broke_off_at_an_administrator_can_be_asked_for_again(
    tmp_path: Path, broken_management: int
) -> None:
    ports = RabbitPorts(amqp=1, management=broken_management, prometheus=1, stream=1, dist=1, epmd=1)
    broker = RabbitMQ(tmp_path / "rabbitmq", ports, "former", "cookie")
    remembered = State(str(tmp_path), Secrets(logins={ADMIN_LOGIN: "former"}))
    addresses = replace(
        _ADDRESSES, amqp=broker.url, management=broker.management_url, secrets=remembered.secrets, own_broker=True
    )
    changing = _rotation(Layout(None, None, broker, None, addresses, []), remembered)
    with pytest.raises(LauncherError, match="could not be reached"):
        await changing.run(["rabbitmq"])
    assert remembered.secrets.former == {ADMIN_LOGIN: "former"}
    await changing.run(["rabbitmq"])
    assert remembered.secrets.former == {}
    assert BrokenManagement.known == password_hash(remembered.secrets.logins[ADMIN_LOGIN])
