"""What a Redis that cannot be used raises."""

from __future__ import annotations

from typing import Final

from redis.exceptions import RedisError

AWAY: Final = (RedisError, OSError, RuntimeError)
"""``RuntimeError`` is what uvloop says of a connection that was closed while nobody used it."""
