"""What routes are limited with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from api.throttle.classes import ClassName, LimitClass
from api.throttle.limiter import Limiter


@dataclass(frozen=True)
class Throttle:
    """The limiter, and every class by its name."""

    limiter: Limiter
    classes: Mapping[ClassName, LimitClass]
