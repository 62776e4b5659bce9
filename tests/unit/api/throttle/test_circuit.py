"""A server that failed is asked once each second, by one."""

from __future__ import annotations

from api.throttle.circuit import Circuit


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_asks_in_each_pause_until_it_is_answered() -> None:
    clock = _Clock()
    circuit = Circuit(clock)
    assert (circuit.admits(), circuit.admits(), circuit.is_open) == (True, True, False)
    circuit.failed()
    assert (circuit.admits(), circuit.is_open) == (False, True)
    clock.now += 1.0
    assert [circuit.admits() for _ in range(3)] == [True, False, False]
    clock.now += 1.0
    assert circuit.admits()
    circuit.succeeded()
    assert (circuit.admits(), circuit.admits(), circuit.is_open) == (True, True, False)
