"""What a supervisor does that has just become this version, and with what an earlier one left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from ops import envfile, state, status, supervisor
from ops.handover import Handover
from ops.kernel import ProcessId
from ops.place import CHECKOUT, Place
from ops.status import Asked, ProcessStatus, Status

_NOBODY = "127.0.0.1:1"
GIVEN = {
    "DATABASE_URL": f"postgresql://{_NOBODY}/mana",
    "AMQP_URL": f"amqp://{_NOBODY}/",
    "RABBITMQ_MANAGEMENT_URL": f"http://{_NOBODY}",
    "REDIS_URL": f"redis://{_NOBODY}",
}


@dataclass
class Left:
    """A place in the midst of an upgrade, and a process that runs in it."""

    place: Place
    running: subprocess.Popen[bytes] = field(default_factory=lambda: subprocess.Popen(["sleep", "60"]))
    supervisor: subprocess.Popen[bytes] | None = None

    def taken_over(self, *words: str) -> subprocess.Popen[bytes]:
        """The supervisor, as it is after its exec."""
        process = ProcessId.of(self.running.pid)
        told = Status(ProcessId.own(), "ready", upgrade=Asked("1"))
        told.processes.append(ProcessStatus("api", None, "ready", process))
        self.place.status.write_bytes(msgspec.json.encode(told))
        argv = [sys.executable, "-P", "-m", "ops.supervisor", "--home", str(self.place.home), "--workers", "1"]
        argv += ["--database", "mana", "--taking-over", *words]
        with self.place.lock.open("w") as lock:
            self.place.handover.write_bytes(msgspec.json.encode(Handover(lock.fileno())))
            environment = {**os.environ, **GIVEN, "PYTHONPATH": str(CHECKOUT)}
            self.supervisor = subprocess.Popen(argv, env=environment, pass_fds=[lock.fileno()])
        return self.supervisor

    def told(self, condition: Callable[[Status], bool]) -> Status:
        latest = time.monotonic() + 60
        while not ((told := status.load(self.place.status)) and condition(told)):
            assert self.supervisor
            assert self.supervisor.poll() is None, "it took all down"
            assert time.monotonic() < latest, told
            time.sleep(0.02)
        return told


@pytest.fixture
def left(tmp_path: Path) -> Iterator[Left]:
    made = Left(Place(tmp_path))
    made.place.logs.mkdir()
    yield made
    for process in filter(None, (made.running, made.supervisor)):
        process.kill()
        process.wait()


def test_what_cannot_be_taken_over_goes_on_and_ends_with_the_place(left: Left) -> None:
    left.place.rotation.write_text('{"number": "2", "parts": ["postgres"]}')
    process = left.taken_over()
    told = left.told(lambda told: bool(told.rotation and told.rotation.ended))
    assert told.upgrade
    assert told.upgrade.ended
    assert "nothing can be taken over" in (told.upgrade.failure or "")
    assert told.rotation, "asked for while the new version was tried: it is done, or refused, at once"
    assert told.rotation.number == "2"
    assert "before all was taken over" in (told.rotation.failure or "")
    assert (told.phase, told.mixed) == ("ready", True)
    assert left.running.poll() is None
    process.terminate()
    assert process.wait(60) == 0
    assert left.running.wait(20) == -signal.SIGTERM


def test_who_cannot_be_watched_is_taken_over_all_the_same(left: Left, capfd: pytest.CaptureFixture[str]) -> None:
    remembered = state.State(data=str(left.place.home / "nowhere"), partitions=1)
    remembered.ports |= {"monitoring": 1, "alertmanager": 2, "prometheus": 3}
    state.save(left.place.state, remembered)
    envfile.write(left.place.env, {"MANA_RABBITMQ_MANAGEMENT_URL": GIVEN["RABBITMQ_MANAGEMENT_URL"]})
    process = left.taken_over("--servers-only", "--monitored")
    told = left.told(lambda told: bool(told.upgrade and told.upgrade.ended))
    assert told.upgrade
    assert "RabbitMQ" in (told.upgrade.failure or ""), "the given broker, which comes after them"
    process.terminate()
    assert process.wait(60) == 0
    said = capfd.readouterr().out
    assert "alertmanager is not watching" in said
    assert "prometheus is not watching" in said


def test_a_start_does_nothing_that_an_earlier_supervisor_was_asked_for(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for wish in (place.rotation, place.upgrade):
        wish.write_text("{}")
    supervisor.board_of(place, None)
    assert not place.rotation.exists()
    assert not place.upgrade.exists()
