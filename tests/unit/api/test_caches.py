"""Caches are bounded, and what they forget is what was unused for longest."""

from __future__ import annotations

from api.lru import LeastRecentlyUsed


def test_the_longest_unused_goes_first() -> None:
    cache: LeastRecentlyUsed[str, int] = LeastRecentlyUsed(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)
    assert len(cache) == 2
    cache.drop("a")
    cache.drop("a")
    assert cache.get("a") is None
