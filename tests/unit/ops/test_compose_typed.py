"""What the documents say to type with Docker: every service and every command of it is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ops.place import CHECKOUT
from ops.setup import operator
from tests.composed import SERVICES
from tests.e2e.walkthrough import blocks_of

DOCUMENTS = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
_LINE = re.compile(r"^docker compose (.*)$|`docker compose ([^`]*)`", re.MULTILINE)
_WITH_VALUE = {"--user", "--volume", "-e", "--env-file"}
PLACEHOLDER = "NAME"


def _typed(document: Path) -> list[list[str]]:
    """The words of each line behind `docker compose`, without options."""
    found = ("".join(either) for either in _LINE.findall(document.read_text(encoding="utf-8")))
    lines = [re.split(r"[#|>]|&&", line)[0] for line in found]
    return [words for line in lines if (words := _plain(shlex.split(line.replace("\n", " "))))]


def _plain(words: list[str]) -> list[str]:
    found = list[str]()
    skips = False
    for word in words:
        if not skips and not word.startswith("-"):
            found.append(word)
        skips = word in _WITH_VALUE
    return found


TYPED = {document: typed for document in DOCUMENTS if (typed := _typed(document))}


def added_by(document: Path) -> set[str]:
    """The services that it says to add."""
    blocks = blocks_of(document.read_text(encoding="utf-8"))
    return {
        name
        for block in blocks
        if block.language == "yaml"
        for name in re.findall("^  ([a-z0-9-]+):$", block.text, re.MULTILINE)
    }


def services_of(words: list[str]) -> list[str]:
    """Whom a line names."""
    command, *rest = words
    named = rest[:1] if command in ("run", "exec") else rest
    return [name for name in named if name not in (PLACEHOLDER, "…")]


@pytest.mark.parametrize("document", TYPED, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_every_service_that_is_typed_is_there(document: Path) -> None:
    added = added_by(document)
    for words in TYPED[document]:
        if words[0] in ("up", "run", "stop", "restart", "logs", "exec", "build", "start", "kill"):
            assert set(services_of(words)) <= {*SERVICES, *added}, words


def test_every_command_for_operators_is_there() -> None:
    app = operator.commands()
    names = {group.name for group in app.registered_groups} | {operator.name_of(one) for one in app.registered_commands}
    asked = [words[2:] for typed in TYPED.values() for words in typed if words[:2] == ["run", "mana"]]
    assert len(asked) >= 4
    for words in asked:
        assert not words or words[0] in names, words


def test_lines_are_found_as_they_are_written() -> None:
    page = CHECKOUT / "docs" / "operations" / "deploy.md"
    assert added_by(page) == {"worker-3", "api-3"}
    deploy = TYPED[page]
    for words in (["up", "worker-1"], ["run", "setup"], ["run", "mana", "users", "import", "users.jsonl"], ["down"]):
        assert words in deploy
    assert next(words for words in deploy if words[0] == "stop")[-1] == "api-2", "over two lines"
