"""Which worker owns which partition: pure, so that every worker comes to the same answer by itself."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b


def shares(workers: Iterable[str], partitions: int) -> dict[str, frozenset[int]]:
    """Shares out partitions ``0 .. partitions-1``; sizes differ by at most one.

    Each partition goes to its highest-ranked worker (rendezvous hashing) that still has room. Only as many workers as
    there are partitions over may take one more than the others, so a worker that comes or goes moves few partitions.
    """
    names = sorted(set(workers))
    if not names:
        return {}
    each, over = divmod(partitions, len(names))
    owned: dict[str, set[int]] = {name: set() for name in names}
    for partition in range(partitions):
        owner = next(
            name
            for name in sorted(names, key=lambda name: _rank(name, partition), reverse=True)
            if len(owned[name]) < each or (len(owned[name]) == each and over > 0)
        )
        over -= len(owned[owner]) == each
        owned[owner].add(partition)
    return {name: frozenset(partitions) for name, partitions in owned.items()}


def _rank(worker: str, partition: int) -> bytes:
    return blake2b(f"{partition}/{worker}".encode(), digest_size=8).digest()
