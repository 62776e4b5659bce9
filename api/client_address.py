"""Which address a request comes from, where proxies stand before us; and what counts as one client."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOPS_MAX: Final = 20
_LENGTH_MAX: Final = 4_096
_UNKNOWN: Final = b"unknown"
_CLIENT_PREFIX: Final = {4: 32, 6: 64}
"""A site has a /64 of IPv6 at least, and can use each of its addresses (RFC 6177)."""
_NETWORK_PREFIX: Final = {4: 24, 6: 48}


def parse(text: str) -> Address | None:
    """The address: without a zone, and as IPv4 where it is one mapped into IPv6. ``None`` for anything else."""
    try:
        address = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def of_request(peer: str, forwarded: Iterable[str], trusted: Sequence[Network]) -> Address | None:
    """The peer; behind proxies that are named as ``trusted``, the last address that one of them saw.

    ``forwarded`` are the request's ``X-Forwarded-For`` fields. They are read from the right, since each proxy adds
    what it saw at the end, and whatever stands left of the first address that is not trusted may be made up. What is
    no address ends the walk: the request then counts as the proxy's.
    """
    address = parse(peer)
    for entry in _from_the_right(forwarded):
        if address is None or not _is_in(address, trusted):
            break
        hop = parse(_without_port(entry))
        if hop is None:
            break
        address = hop
    return address


def bucket(address: str | None) -> bytes:
    """What counts as one client: an IPv4 address, or a /64 of IPv6."""
    return _within(address, _CLIENT_PREFIX)


def network(address: str | None) -> bytes:
    """What counts as one network: a /24, or a /48 of IPv6."""
    return _within(address, _NETWORK_PREFIX)


def _within(text: str | None, prefixes: dict[int, int]) -> bytes:
    """Clients without an address share one counter: never none."""
    address = None if text is None else parse(text)
    if address is None:
        return _UNKNOWN
    return str(ipaddress.ip_network((address, prefixes[address.version]), strict=False)).encode()


def _from_the_right(forwarded: Iterable[str]) -> list[str]:
    """The last entries; of an overlong field only its end, whose first entry may be a part of one."""
    entries = ",".join(forwarded)[-_LENGTH_MAX:].split(",")
    return entries[-_HOPS_MAX:][::-1]


def _without_port(entry: str) -> str:
    """Some proxies write ``192.0.2.1:4711`` and ``[2001:db8::1]:4711``."""
    text = entry.strip()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    host, _, port = text.partition(":")
    return host if port.isdecimal() and "." in host else text


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
