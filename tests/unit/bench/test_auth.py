"""What `bench auth` makes of its rows: shares of what the machine can do at all."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import count

import pytest

from bench.alone import in_a_row, side_by_side
from bench.auth_cases import (
    ARGON2,
    BALANCE,
    BALANCE_BESIDE,
    BALANCE_CROWDED,
    CHECK,
    LOGIN,
    LOGIN_BESIDE,
    LOGIN_CROWDED,
    READ,
    REFRESH,
    SIGN,
    VALIDATE,
    VALIDATE_KNOWN,
    WRITE,
    per_free_core,
)
from bench.auth_goals import conclude, goals, least_rate
from bench.results import Row, Spread

RATES = {
    ARGON2: 50.0,
    LOGIN: 45.0,
    BALANCE: 1000.0,
    LOGIN_BESIDE: 42.0,
    BALANCE_BESIDE: 275.0,
    LOGIN_CROWDED: 30.0,
    BALANCE_CROWDED: 800.0,
    CHECK: 3000.0,
    READ: 6000.0,
    VALIDATE_KNOWN: 1200.0,
    VALIDATE: 1000.0,
    SIGN: 10_000.0,
    WRITE: 2500.0,
    REFRESH: 400.0,
}


def _rows(**other: float) -> list[Row]:
    return [_row(name, rate) for name, rate in {**RATES, **other}.items()]


def _row(name: str, rate: float) -> Row:
    cpu = {"generator": Spread.of([1e6 / rate]), "api": Spread.of([700.0 if name.startswith("POST") else 0.0])}
    p99 = Spread.of([9.5])
    return Row(name, Spread.of([rate]), p99, p99, cpu, Spread.of([0.1]))


def test_free_cores_do_again_what_all_cores_did() -> None:
    assert per_free_core(1000, cores=2, threads=1) == 500
    assert per_free_core(1000, cores=8, threads=2) == 750
    assert per_free_core(1000, cores=2, threads=2) == 0


@pytest.mark.parametrize(
    ("other", "reached"),
    [
        ({}, [True, True, True]),
        ({LOGIN: 42.0}, [False, True, True]),
        ({LOGIN_BESIDE: 42.0}, [True, False, True]),
        ({BALANCE_BESIDE: 251.0}, [True, True, True]),
        ({BALANCE_BESIDE: 249.0}, [True, True, False]),
    ],
)
def test_goals(other: dict[str, float], reached: list[bool]) -> None:
    rows = _rows(**{LOGIN_BESIDE: 43.0, **other})
    assert [goal.reached for goal in goals(rows, cores=2, threads=1)] == reached


def test_the_goals_tell_their_figures_and_the_formula() -> None:
    alone, beside, balances = goals(_rows(), cores=2, threads=1)
    assert (alone.figure, beside.figure, balances.figure) == (0.9, 0.84, 0.55)
    assert balances.rule == "at least 0.5: meanwhile / (undisturbed / 2 cores * (2 - 1 hashing threads))"


def test_without_a_free_core_none_is_asked_of() -> None:
    assert len(goals(_rows(), cores=2, threads=2)) == 2


def test_the_least_is_one_part_behind_the_other() -> None:
    assert least_rate([3000, 6000]) == pytest.approx(2000)


def test_requests_are_told_by_their_least_without_what_it_took_to_send_them() -> None:
    told = conclude(_rows())
    assert told[VALIDATE] == (
        "0.500 of 2,000 per second, the rate of a signature checked and a row read in one process;"
        " 700 microseconds of CPU, 1.40 times theirs"
    )
    assert told[VALIDATE_KNOWN].startswith("0.200 of 6,000 per second")
    assert told[REFRESH].startswith("0.200 of 2,000 per second")
    assert told["both without a pause"] == "sign-ins 0.600 of Argon2id alone, balances 0.800 of undisturbed"


async def test_work_side_by_side_is_never_more_at_a_time_than_was_said() -> None:
    under_way, most = Counter[str](), 0

    async def work() -> None:
        nonlocal most
        under_way["now"] += 1
        most = max(most, under_way["now"])
        await asyncio.sleep(0.001)
        under_way["now"] -= 1
        under_way["done"] += 1

    looks = list[int]()
    measured = await side_by_side(work, 3, 0.1, lambda: looks.append(under_way["done"]), warm_up=0.05)
    assert (most, under_way["now"]) == (3, 0)
    assert measured.answered == under_way["done"]
    assert measured.commands == pytest.approx(looks[1] - looks[0], abs=3)


async def test_work_that_fails_is_no_measurement() -> None:
    numbers = count()

    async def work() -> None:
        await asyncio.sleep(0)
        if next(numbers) > 10:
            raise LookupError("broken")

    with pytest.raises(LookupError):
        await side_by_side(work, 2, 5, lambda: None)


def test_work_in_a_row_is_counted() -> None:
    done, looks = count(), list[float]()
    measured = in_a_row(lambda: next(done), 0.05, lambda: looks.append(1))
    assert len(looks) == 2
    assert measured.answered == measured.commands == next(done)
