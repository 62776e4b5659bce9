"""Puts something else in the place of a part of the worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Puts ``make(original)`` in the original's place. Raises ``AttributeError`` where the seam is gone."""
    setattr(owner, name, make(getattr(owner, name)))
