"""Which page may use the cookie of cookie mode."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.auth.browser.csrf import Sender, canonical, may_use_cookie, trusted

APP = "https://app.example.com"
OURS = trusted(["https://MANA.example.com:443", APP, "http://127.0.0.1:3001", "https://[::1]:8443/"])


@pytest.mark.parametrize(
    ("sites", "origins", "may"),
    [
        (["same-origin"], ["https://mana.example.com"], True),
        (["same-site"], [APP], True),
        (["same-origin"], [], True),
        ([], [APP], True),
        ([], ["http://127.0.0.1:3001"], True),
        ([], ["https://[::1]:8443"], True),
        ([], [], False),
        (["same-site"], [], False),
        (["none"], [], False),
        (["cross-site"], [], False),
        (["cross-site"], [APP], False),
        (["same-site"], ["https://evil.example.com"], False),
        (["same-origin"], ["https://evil.example.com"], False),
        (["same-origin"], ["null"], False),
        ([], ["null"], False),
        ([], [""], False),
        ([], ["https://app.example.com.evil.com"], False),
        ([], ["http://app.example.com"], False),
        ([], ["https://app.example.com:8443"], False),
        ([], [APP, APP], False),
        (["same-origin", "cross-site"], [APP], False),
        (["Same-Origin"], [APP], False),
    ],
)
def test_who_may(sites: list[str], origins: list[str], may: bool) -> None:
    """[59]."""
    assert may_use_cookie(Sender(sites, origins), OURS) is may


@given(st.lists(st.text(), max_size=2), st.lists(st.text(), max_size=2))
def test_nothing_but_the_words_that_browsers_say_opens_it(sites: list[str], origins: list[str]) -> None:
    """[59]."""
    may = may_use_cookie(Sender(sites, origins), OURS)
    assert not may or (set(sites) | set(origins)) <= {"same-origin", "same-site", *OURS}


def test_origins_as_browsers_write_them() -> None:
    assert canonical("HTTPS://App.Example.com:443/") == APP
    assert canonical("http://localhost:80") == "http://localhost"
    assert canonical("http://localhost:3001") == "http://localhost:3001"
