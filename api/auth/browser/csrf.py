"""Whether a browser's request comes from a page that may use the cookie: by Fetch Metadata and the Origin header.

A page cannot set either header. Sources: W3C Fetch Metadata Request Headers; RFC 6454, section 7; OWASP's cheat sheet
on cross-site request forgery.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Sender:
    """What a request says of the page that it comes from; each header as often as it was sent."""

    fetch_sites: Sequence[str]
    origins: Sequence[str]


def canonical(origin: str) -> str:
    """An origin as browsers write it: in lower case, without its scheme's own port. Raises ``ValueError``."""
    parts = urlsplit(origin.strip().lower())
    port = "" if parts.port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f":{parts.port}"
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def trusted(origins: Iterable[str]) -> frozenset[str]:
    """The origins whose pages may use the cookie."""
    return frozenset(canonical(origin) for origin in origins)


def may_use_cookie(sender: Sender, ours: frozenset[str]) -> bool:
    """Whether the page is one of ours.

    Each header that is there must say so, and one must be: a browser that sends neither is too old to be told apart
    from an attack. From another host of the same site only ``Origin`` tells which.
    """
    if len(sender.fetch_sites) > 1 or len(sender.origins) > 1:
        return False
    site, origin = next(iter(sender.fetch_sites), None), next(iter(sender.origins), None)
    if origin is None:
        return site == "same-origin"
    return origin in ours and site in {None, "same-origin", "same-site"}
