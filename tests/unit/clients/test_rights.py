"""Goal: what the broker refuses is named, with the permission that is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mana_client import LoginRefused, NotAllowed
from mana_client.link import url_of
from mana_client.rights import not_allowed

_BEHIND = "in vhost '/' refused for user 'chat.k3f9x0a2b7c1'"


@pytest.mark.parametrize(
    ("said", "what", "permission"),
    [
        ("access to exchange 'credits.events'", "exchange 'credits.events'", "events:read"),
        ("access to topic '#' in exchange 'credits.events'", "topic '#' in exchange 'credits.events'", "admin"),
        ("access to queue 'credits.events.log'", "queue 'credits.events.log'", "admin"),
        ("read access to queue 'credits.events.log'", "queue 'credits.events.log'", "admin"),  # as RabbitMQ 4 says it
        ("access to queue 'chatty.credits.events.log'", "queue 'chatty.credits.events.log'", None),
        ("access to exchange 'credits.commands'", "exchange 'credits.commands'", None),
        ("access to topic '#' in exchange 'mail.events'", "topic '#' in exchange 'mail.events'", None),
    ],
)
def test_what_was_refused_is_named(said: str, what: str, permission: str | None) -> None:
    error = not_allowed(f"ACCESS_REFUSED - {said} {_BEHIND}")
    assert (error.what, error.permission) == (what, permission)
    assert _BEHIND in str(error)


def test_words_that_nobody_knows_are_passed_on() -> None:
    error = not_allowed("NO")
    assert (type(error), error.permission, str(error)) == (
        NotAllowed, None, "this is not for this login: no permission allows that (NO)",
    )  # fmt: skip


@pytest.mark.parametrize("address", [lambda: Path("/nowhere/at/all").read_text(), lambda: "http://broker/", str])
def test_an_address_that_cannot_be_read(address: Callable[[], str]) -> None:
    with pytest.raises(LoginRefused, match="the broker's address cannot be read"):
        url_of(address)
