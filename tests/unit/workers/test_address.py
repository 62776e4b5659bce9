"""A broker's URL: what it says counts, or is an error; nothing of it stands in the error's text."""

from __future__ import annotations

import ssl

import pytest

from workers.broker.address import Address, Certificates


def test_all_of_it() -> None:
    address = Address.of("amqp://a%2Fb:c%23d@broker.example:7/v%2Fh?heartbeat=60&name=x")
    assert address == Address("broker.example", 7, "a/b", "c#d", "v/h", None)


@pytest.mark.parametrize(("scheme", "port"), [("amqp", 5672), ("amqps", 5671)])
def test_what_is_left_out(scheme: str, port: int) -> None:
    certificates = Certificates() if scheme == "amqps" else None
    assert Address.of(f"{scheme}://broker/") == Address("broker", port, "guest", "guest", "/", certificates)


def test_certificates() -> None:
    address = Address.of("amqps://broker?cafile=a&capath=b&cadata=c&certfile=d&keyfile=e&no_verify_ssl=1&heartbeat=60")
    assert address.certificates == Certificates("a", "b", "c", "d", "e", "1")


@pytest.mark.parametrize(("options", "mode"), [("", 2), ("?no_verify_ssl=0", 2), ("?no_verify_ssl=1", 0)])
def test_who_is_looked_at(options: str, mode: int) -> None:
    certificates = Address.of(f"amqps://broker{options}").certificates
    assert certificates is not None
    assert certificates.context().verify_mode == ssl.VerifyMode(mode)


@pytest.mark.parametrize(
    "url",
    [
        "http://broker",
        "amqp:///vhost",
        "amqps://broker?no_verify_ssl=false",
        "amqps://broker?no_verify_ssl=",
        "amqp://broker?cafile=a",
        "amqp://broker?no_verify_ssl=0",
        "amqps://broker?cacertfile=a",
        "amqps://broker?verify=verify_none",
        "amqps://broker?server_name_indication=a",
        "amqps://broker?auth=external",
        "amqps://broker?auth_mechanism=external",
    ],
)
def test_what_cannot_be_meant_so(url: str) -> None:
    with pytest.raises(ValueError, match=r"amqps?://|0 or 1|not known"):
        Address.of(url)


@pytest.mark.parametrize("password", ["se/cret", "se#cret", "12#secret", "[secret", "se\u2100cret"])
def test_a_password_that_is_not_escaped_is_not_told(password: str) -> None:
    with pytest.raises(ValueError, match="cannot be read") as caught:
        Address.of(f"amqp://login:{password}@broker")
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
