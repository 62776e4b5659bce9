"""Goal: the reference page names every command and every error code, with its status, and no others."""

from __future__ import annotations

import re
from pathlib import Path

from contracts.errors import REST_STATUS
from contracts.schema_documents import PUBLIC_COMMANDS

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "messages.md"


def section(title: str) -> str:
    return PAGE.read_text().split(f"## {title}\n")[1].split("\n## ")[0]


def test_commands() -> None:
    rows = re.findall(r"^\| `([a-z.]+)`", section("Commands"), re.MULTILINE)
    assert sorted(rows) == sorted(PUBLIC_COMMANDS)


def test_error_codes() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| (\d+)", section("Error codes"), re.MULTILINE)
    assert {code: int(status) for code, status in rows} == REST_STATUS


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE.read_text()):
        assert (PAGE.parent / target).exists(), target
