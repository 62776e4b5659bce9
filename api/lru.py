"""A bounded map that forgets what was not used for longest."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class LeastRecentlyUsed(Generic[Key, Value]):
    """At most ``size`` entries; neither reading nor writing ever waits."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[Key, Value] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        """The value, now the youngest; ``None`` where there is none."""
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def put(self, key: Key, value: Value) -> None:
        """Remembers the value, in the place of the one that was unused for longest if need be."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def drop(self, key: Key) -> None:
        """Forgets the key, if it is there."""
        self._entries.pop(key, None)

    def clear(self) -> None:
        """Forgets all."""
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)
