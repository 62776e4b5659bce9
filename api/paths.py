"""Where the routes begin."""

from __future__ import annotations

from typing import Final

BASE: Final = "/api/v1"
