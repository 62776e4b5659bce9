"""The time, as the front's decisions on tokens see it; given to what needs it, so that tests can move it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Clock: TypeAlias = Callable[[], float]
"""Seconds since 1970 (UTC)."""
