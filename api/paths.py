"""Where the routes begin."""

from __future__ import annotations

from typing import Final

BASE: Final = "/api/v1"
WEBHOOKS: Final = f"{BASE}/webhooks/"
"""What others send us: signed, and in bursts."""
