"""What the broker refuses to a login, and which permission of an app's would allow it. Pure."""

from __future__ import annotations

import re
from typing import Final

from mana_client.errors import NotAllowed

_TARGET: Final = re.compile(r"access to (.+?) in vhost ")
_BY_PERMISSION: Final = (
    (re.compile(r"exchange 'credits\.events'"), "events:read"),
    (re.compile(r"topic '.*' in exchange 'credits\.events'"), "admin"),  # its own topics it was let to by the former
    (re.compile(r"queue 'credits\.events\.log'"), "admin"),
)


def not_allowed(said: str) -> NotAllowed:
    """The error, from RabbitMQ's own words (ACCESS_REFUSED, on a channel)."""
    found = _TARGET.search(said)
    what = "this" if found is None else found[1]
    permission = next((permission for target, permission in _BY_PERMISSION if target.fullmatch(what)), None)
    return NotAllowed(what, permission, said)
