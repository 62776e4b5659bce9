"""Shares: whole, disjoint, even, the same for everybody, and calm when a worker comes or goes."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.intake.shares import shares

_workers = st.sets(st.uuids().map(str), min_size=1, max_size=12)
_partitions = st.integers(min_value=1, max_value=64)


@given(_workers, _partitions)
def test_every_partition_has_one_owner(workers: set[str], partitions: int) -> None:
    shared = shares(workers, partitions)
    assert sorted(number for owned in shared.values() for number in owned) == list(range(partitions))
    assert shared.keys() == workers


@given(_workers, _partitions)
def test_sizes_differ_by_at_most_one(workers: set[str], partitions: int) -> None:
    sizes = [len(owned) for owned in shares(workers, partitions).values()]
    assert max(sizes) - min(sizes) <= 1
    assert sizes.count(partitions // len(workers) + 1) == partitions % len(workers)


@given(st.lists(st.uuids().map(str), min_size=1, max_size=12), _partitions, st.randoms())
def test_the_order_of_the_workers_does_not_matter(workers: list[str], partitions: int, random: Random) -> None:
    shuffled = list(workers)
    random.shuffle(shuffled)
    assert shares(workers, partitions) == shares(shuffled, partitions)


def test_nobody_shares_nothing() -> None:
    assert shares([], 8) == {}


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_a_worker_that_leaves_moves_few_partitions(count: int) -> None:
    workers = [f"worker-{number}" for number in range(count + 1)]
    before, after = shares(workers, 32), shares(workers[:-1], 32)
    stayed = sum(len(before[name] & after[name]) for name in workers[:-1])
    # All that the leaver had must move; beyond that, evenness moves some.
    assert stayed >= (32 - len(before[workers[-1]])) // 2
