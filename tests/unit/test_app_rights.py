"""docs/reference/app-rights.md says what the tests try, and nothing else."""

from __future__ import annotations

from tests.integration.apps.page import PAGE, render


def test_the_page_is_of_today() -> None:
    """Otherwise: python -m tests.integration.apps.page"""
    assert PAGE.read_text(encoding="utf-8") == render()
