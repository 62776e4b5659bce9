"""What links in mails do. No routes yet."""

from __future__ import annotations

from fastapi import APIRouter

from api.wiring.parts import Parts


def router(parts: Parts) -> APIRouter:
    """None yet."""
    _ = parts
    return APIRouter()
