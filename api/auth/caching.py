"""What no cache may keep: answers that hold tokens, or what only one user may see."""

from __future__ import annotations

from fastapi import Response


def keep_out_of_caches(response: Response) -> None:
    """Says so to browsers, and to whatever stands between."""
    response.headers["cache-control"] = "no-store"
