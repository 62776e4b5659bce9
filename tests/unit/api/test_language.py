"""Mails are in the language that the browser prefers of those that there are."""

from __future__ import annotations

import pytest

from api.auth.language import preferred


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("en-GB, de;q=0.9", "en"),
        ("en;q=0.5, DE-ch;q=0.7", "de"),
        ("fr, de;q=0.1", "de"),
        ("fr, it;q=0.1", "en"),
        ("de;q=0", "en"),
        ("de;q=nonsense", "en"),
        ("den", "en"),
        ("*", "en"),
        (";;,=,q=1", "en"),
        ("x" * 100_000 + ",de", "en"),
    ],
)
def test_preferred(header: str | None, language: str) -> None:
    assert preferred(header) == language
