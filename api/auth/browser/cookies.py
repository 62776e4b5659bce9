"""The two cookies of cookie mode: the refresh token, and which device it is. No script reads them, no other site has
them sent; their prefix keeps other hosts of our domain from setting them (RFC 6265bis, ``__Host-``)."""

from __future__ import annotations

import re
import secrets
from datetime import timedelta
from typing import Final

from fastapi import Request, Response

from api.auth.bodies import GrantView
from api.auth.browser.mode import REFRESH_COOKIE, Mode, mode_of
from api.auth.model import Device
from api.auth.starting import Grant
from api.errors import refuse_field

DEVICE_COOKIE: Final = "__Host-mana_device"
_DEVICE_LIFE: Final = timedelta(days=180)
_DEVICE_BYTES: Final = 32
_DEVICE_ID: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def with_refresh_cookie(response: Response, grant: Grant, mode: Mode) -> GrantView:
    """The answer with a grant: in cookie mode its refresh token is in the cookie, for as long as the session may last,
    and not in the body."""
    view = GrantView.of(grant)
    if mode is Mode.TOKENS:
        return view
    _set(response, REFRESH_COOKIE, grant.refresh_token, grant.ends_in)
    return view.model_copy(update={"refresh_token": None})


def without_refresh_cookie(response: Response, mode: Mode) -> None:
    """Takes the cookie away in cookie mode. For logout alone: an error that did so would log out whoever won a race."""
    if mode is Mode.COOKIE:
        _set(response, REFRESH_COOKIE, "", 0)


def refresh_token_in(request: Request) -> str | None:
    """The refresh token that came as a cookie."""
    return request.cookies.get(REFRESH_COOKIE)


def device_of(request: Request, device_id: str | None, name: str | None) -> Device:
    """The device that signs in: as the body calls it, or in cookie mode by its cookie, which is made if need be.

    Raises ``Refusal`` (``invalid_request``) for a device's id in the body in cookie mode: scripts are not to know it.
    """
    if mode_of(request) is Mode.TOKENS:
        return Device(device_id, name)
    if device_id is not None:
        raise refuse_field("deviceId", "is kept in a cookie in this mode")
    known = request.cookies.get(DEVICE_COOKIE, "")
    return Device(known if _DEVICE_ID.fullmatch(known) else secrets.token_urlsafe(_DEVICE_BYTES), name)


def with_device_cookie(response: Response, device: Device, mode: Mode) -> None:
    """Lets a browser be known again, once a password was right."""
    if mode is Mode.COOKIE and device.id is not None:
        _set(response, DEVICE_COOKIE, device.id, int(_DEVICE_LIFE.total_seconds()))


def _set(response: Response, name: str, value: str, seconds: int) -> None:
    response.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="strict")
