"""Which published messages the broker has not answered for yet (RabbitMQ's publisher confirms)."""

from __future__ import annotations


class Confirms:
    """Delivery tags of one channel count its publishes from 1; an answer is for one of them, or for all up to it."""

    def __init__(self) -> None:
        self._last = 0
        self._waiting: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def sent(self, correlation_id: bytes) -> None:
        """A message was published."""
        self._last += 1
        self._waiting[self._last] = correlation_id

    def settle(self, tag: int, multiple: bool) -> list[bytes]:
        """The broker answered: the correlation ids of the messages that it answered for, in the order sent."""
        if not multiple:
            found = self._waiting.pop(tag, None)
            return [] if found is None else [found]
        return [self._waiting.pop(waiting) for waiting in self._up_to(tag)]

    def _up_to(self, tag: int) -> list[int]:
        tags: list[int] = []
        for waiting in self._waiting:  # in the order sent
            if waiting > tag:
                break
            tags.append(waiting)
        return tags
