"""Whose request it is, whatever is claimed of it (SECURITY.md 23 to 25)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.client_address import bucket, network, of_request, parse

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("2001:db8:aa::/48"))
PROXY, STRANGER = "10.0.0.1", "203.0.113.9"

ADDRESSES = st.ip_addresses().map(str)
ENTRIES = st.one_of(ADDRESSES, st.text(max_size=30), st.sampled_from(["", "a", "unknown", "fe80::1%eth0", "10.0.0.2"]))


@given(st.lists(ENTRIES, max_size=5))
def test_nobody_who_is_not_trusted_says_who_he_is(entries: list[str]) -> None:
    """[23]: a new X-Forwarded-For with each request changes nothing."""
    assert of_request(STRANGER, [", ".join(entries)], TRUSTED) == IPv4Address(STRANGER)
    assert of_request(PROXY, [", ".join(entries)], ()) == IPv4Address(PROXY)


@given(st.lists(ENTRIES, max_size=30), ADDRESSES.filter(lambda text: not text.startswith(("10.", "2001:db8:aa:"))))
def test_what_stands_left_of_the_first_stranger_is_not_read(made_up: list[str], client: str) -> None:
    """[23]: whatever a client writes itself, the proxy adds at its end what it saw."""
    claimed = ",".join(entry.replace(",", "") for entry in made_up)
    assert of_request(PROXY, [claimed, client], TRUSTED) == parse(client)


def test_two_hops() -> None:
    """[23]: in one field or in two."""
    for forwarded in ([f"198.51.100.7, {STRANGER}, 10.9.9.9"], ["198.51.100.7", f"{STRANGER},10.9.9.9"]):
        assert of_request(PROXY, forwarded, TRUSTED) == IPv4Address(STRANGER)
    assert of_request(PROXY, ["10.1.1.1, 10.2.2.2"], TRUSTED) == IPv4Address("10.1.1.1")
    assert of_request("2001:db8:aa::1", [STRANGER], TRUSTED) == IPv4Address(STRANGER)


@pytest.mark.parametrize(
    "entry", ["a", "", " ", "unknown", "192.0.2.256", "1.2.3", "999999", "x" * 10_000, "\x00", "é"]
)
def test_what_is_no_address_counts_as_the_proxys(entry: str) -> None:
    """[24]: never as nobody's."""
    assert of_request(PROXY, [f"{STRANGER}, {entry}"], TRUSTED) == IPv4Address(PROXY)


@pytest.mark.parametrize(
    ("entry", "address"),
    [
        ("::ffff:1.2.3.4", IPv4Address("1.2.3.4")),
        ("fe80::1%eth0", IPv6Address("fe80::1")),
        ("1.2.3.4:5678", IPv4Address("1.2.3.4")),
        ("[2001:db8::1]:443", IPv6Address("2001:db8::1")),
        ("[2001:db8::1]", IPv6Address("2001:db8::1")),
        ("2001:DB8::0:1", IPv6Address("2001:db8::1")),
    ],
)
def test_forms_of_one_address(entry: str, address: IPv4Address | IPv6Address) -> None:
    """[24, 25]."""
    assert of_request(PROXY, [entry], TRUSTED) == address


@given(st.lists(st.text(max_size=2_000), max_size=4), st.text(max_size=40))
def test_nothing_that_is_sent_is_an_error(forwarded: list[str], peer: str) -> None:
    """[24]."""
    assert bucket(str(of_request(peer, forwarded, TRUSTED)))


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_a_site_of_ipv6_is_one_client(address: IPv6Address, host: int) -> None:
    """[25]."""
    neighbour = IPv6Address((int(address) >> 64 << 64) | host)
    if address.ipv4_mapped is None and neighbour.ipv4_mapped is None:
        assert bucket(str(address)) == bucket(str(neighbour))
        assert network(str(address)) == network(str(neighbour))


def test_clients_and_networks() -> None:
    """[25]."""
    assert bucket("::ffff:192.0.2.1") == bucket("192.0.2.1")
    assert bucket("192.0.2.1") != bucket("192.0.2.2")
    assert network("192.0.2.1") == network("192.0.2.254") != network("192.0.3.1")
    assert bucket("2001:db8:0:1::1") != bucket("2001:db8:0:2::1")
    assert network("2001:db8:0:1::1") == network("2001:db8:0:2::1") != network("2001:db8:1::1")
    assert bucket(None) == bucket("nonsense") == network(None)
