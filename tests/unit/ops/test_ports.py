from __future__ import annotations

import socket

import pytest

from ops import ports
from ops.errors import LauncherError


def listening(port: int = 0) -> socket.socket:
    server = socket.create_server(("127.0.0.1", port))
    server.listen()
    return server


def test_a_free_preference_is_kept() -> None:
    port = ports.choose(None, ())
    assert ports.choose(port, ()) == port


def test_chosen_ports_lie_below_the_ephemeral_range() -> None:
    assert all(10_000 <= ports.choose(None, ()) < 32_768 for _ in range(20))


def test_a_taken_preference_is_replaced() -> None:
    port = ports.choose(None, ())
    with listening(port):
        assert not ports.is_free(port)
        assert ports.choose(port, ()) != port
        assert ports.first_free(ports.upwards(port), ()) > port


def test_what_we_gave_to_others_is_not_given_again() -> None:
    port = ports.choose(None, ())
    assert ports.choose(port, {port}) != port


def test_what_another_process_has_just_chosen_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    port = ports.choose(None, ())

    def as_drawn(_among: range, _count: int) -> list[int]:
        return [port, port + 1, port + 2]

    monkeypatch.setattr("random.sample", as_drawn)
    assert ports.choose(None, ()) > port
    assert ports.choose(port, ()) == port, "whoever is told its port has it"


def test_few_ports_are_marked_at_a_time() -> None:
    for _ in range(300):
        ports.choose(None, ())
    assert len(ports._marks) == 256  # pyright: ignore[reportPrivateUsage]


def test_no_port_left_is_said() -> None:
    with pytest.raises(LauncherError, match="No free port"):
        ports.first_free(ports.upwards(32_767), {32_767})
