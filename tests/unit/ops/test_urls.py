from __future__ import annotations

import pytest

from ops import urls


def test_another_login_keeps_host_database_and_options() -> None:
    url = urls.with_login("postgresql://admin:a%40b@db:5433/mana?sslmode=require", "mana_api", "p/w")
    assert url == "postgresql://mana_api:p%2Fw@db:5433/mana?sslmode=require"


@pytest.mark.parametrize(
    ("url", "vhost"),
    [
        ("amqp://u:p@h", "/"),
        ("amqp://u:p@h/", "/"),
        ("amqp://u:p@h/%2F", "/"),
        ("amqp://u:p@h/mana", "mana"),
        ("amqp://u:p@h/a%2Fb", "a/b"),
    ],
)
def test_virtual_hosts(url: str, vhost: str) -> None:
    assert urls.vhost_of(url) == vhost


def test_logins_are_unescaped_and_never_shown() -> None:
    url = "amqp://mana%40x:p%3Aw@host:5673/"
    assert urls.login_of(url) == ("mana@x", "p:w")
    assert urls.where(url) == "host:5673"


@pytest.mark.parametrize(
    ("url", "candidates"),
    [
        ("amqp://u:p@h:5672/", ["http://h:15672"]),
        ("amqp://u:p@h/", ["http://h:15672"]),
        ("amqp://u:p@h:6000/", ["http://h:16000", "http://h:15672"]),
        ("amqp://u:p@[::1]:5672/", ["http://[::1]:15672"]),
        ("amqps://u:p@h/?cafile=ca.pem", ["https://h:15671", "https://h:15672"]),
    ],
)
def test_guesses_of_the_management_address(url: str, candidates: list[str]) -> None:
    assert urls.management_candidates(url) == candidates


def test_a_database_may_be_left_out() -> None:
    assert urls.database_of("postgresql://u:p@h/") is None
    assert urls.database_of("postgresql://u:p@h/my%20base") == "my base"
    assert urls.with_database("postgresql://u:p@h", "mana") == "postgresql://u:p@h/mana"
