"""What the documents show to type as `./mana …` is understood: by ./mana, and by the program that it becomes.

Nothing of it is carried out. The words of others' tools (`psql`, `rabbitmqctl`) are typed at a place that runs:
tests/e2e/test_runbooks.py.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest
import typer
from typer.models import CommandInfo

from api.operators.apps import asking as apps
from api.operators.dead import asking as letters
from bench.errors import BenchError
from bench.replay.options import read_options
from ops import cli
from ops.place import CHECKOUT
from ops.setup import operator
from tests.e2e.walkthrough import COMMANDS, ELSEWHERE, blocks_of

DOCUMENTS = [
    CHECKOUT / "README.md",
    CHECKOUT / "examples" / "README.md",
    *(
        page
        for folder in ("operations", "guides", "reference")
        for page in sorted((CHECKOUT / "docs" / folder).rglob("*.md"))
    ),
]
Typed = tuple[str, ...]
"""A command: how it begins, then its words."""
MANA: Final = "./mana"
IN_CONTAINERS: Final = "docker compose run --rm mana"
OTHERS_TOOLS: Final = {"psql", "rabbitmqctl", "rabbitmq-diagnostics", "redis-cli"}
LEFT_OUT: Final = "…"
"""Stands for any more words: what is before it must be understood, and what a command asks for may be in it."""
_USER: Final = "0190f2a0-7c1b-7000-8000-000000000001"
PLACEHOLDERS: Final = {"ID": "5f0c12ab90de3471", "N": "7", "$user": _USER, "$USER_ID": _USER}
"""Words that stand for something that is more than any word."""
_MOMENT: Final = re.compile(r"20\d\d-(.*Z)")
_IN_LINE: Final = re.compile(r"`([^`]*)`")
_FENCED: Final = re.compile(r"^[ >]*```.*?^[ >]*```", re.DOTALL | re.MULTILINE)
_START: Final = re.compile(r"(?<!\S)(?:\./mana|docker compose run [^|;&]*?(?<= )mana)(?=\s|$)")
_END: Final = re.compile(r"[();<>|&]+")
_PROMPT: Final = re.compile(r"^[$#] ", re.MULTILINE)
_COMMENT: Final = re.compile(r"(?:^|\s)#\s.*", re.MULTILINE)


class Understood(Exception):  # noqa: N818 - no error: what would begin now
    """A command was told its words."""

    def __init__(self, callback: Callable[..., Any] | None = None, **told: Any) -> None:
        super().__init__(callback)
        self.callback = callback
        self.told = told


class Became(Exception):  # noqa: N818 - no error: what would end this process
    """The module that runs instead."""


def typed_in(text: str) -> Iterator[Typed]:
    """Each command that a document shows, in its blocks of commands and within its sentences."""
    for block in blocks_of(text):
        if block.language in (COMMANDS, ELSEWHERE):
            plain = _PROMPT if block.language == ELSEWHERE else _COMMENT
            yield from _commands(plain.sub("", block.text).replace("\\\n", " ").splitlines())
    for shown in _IN_LINE.findall(_FENCED.sub("", text)):
        yield from _commands([" ".join(shown.split())])


def _commands(lines: Sequence[str]) -> Iterator[Typed]:
    for number, line in enumerate(lines):
        for found in _START.finditer(line):
            words = _words([line[found.end() :], *lines[number + 1 :]])
            if words:  # without any it is the program that is spoken of
                yield (MANA if found[0] == MANA else IN_CONTAINERS, *words)


def _words(lines: Sequence[str]) -> list[str]:
    """Those of the command that begins the first line; a quotation may end in a later one."""
    for count in range(1, len(lines) + 1):
        split = shlex.shlex("\n".join(lines[:count]), posix=True, punctuation_chars=True)
        split.whitespace_split = True
        try:
            words = list(split)
        except ValueError:  # the quotation goes on
            continue
        end = next((place for place, word in enumerate(words) if _END.fullmatch(word)), len(words))
        return [word.strip("[]") for word in words[:end]]
    raise AssertionError(f"a quotation without an end: {lines[0]}")


TYPED = {document: sorted(set(typed_in(document.read_text(encoding="utf-8")))) for document in DOCUMENTS}


@pytest.fixture(autouse=True)
def nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands and programs tell what they read, and go no further."""

    def telling(callback: Callable[..., Any]) -> Callable[..., NoReturn]:
        @wraps(callback)
        def tell(**told: Any) -> NoReturn:
            raise Understood(callback, **told)

        return tell

    for command in _all_of(cli.app):
        assert command.callback is not None
        monkeypatch.setattr(command, "callback", telling(command.callback))

    def became(_program: str, command: Sequence[str], _env: dict[str, str]) -> NoReturn:
        raise Became(command[command.index("-m") + 1])

    monkeypatch.setattr(os, "execve", became)
    monkeypatch.setattr(sys, "path", list(sys.path))  # benchmarks add to it


def _all_of(app: typer.Typer) -> Iterator[CommandInfo]:
    yield from app.registered_commands
    for group in app.registered_groups:
        assert group.typer_instance is not None
        yield from _all_of(group.typer_instance)


def understand(typed: Typed) -> None:
    """Ends the process, as the program would, where the words mean nothing."""
    told, *shown = typed
    app = cli.app if told == MANA else operator.commands()
    # The pages' moments are some of their reader's past, whenever that is.
    words = [_MOMENT.sub(r"2001-\1", PLACEHOLDERS.get(word, word)) for word in shown]
    if LEFT_OUT in words:
        words = [*words[: words.index(LEFT_OUT)], "--help"]
    try:
        try:
            app(args=words, prog_name=told)
        except Understood as command:
            _understand_further(command)
    except SystemExit as ended:
        if ended.code != 0:  # 0: it was asked for its help
            raise


def _understand_further(command: Understood) -> None:
    """What a command leaves to another program to read."""
    context: typer.Context | None = command.told.get("context")
    if context is None:
        assert not [word for word in command.told.get("chosen") or () if word.startswith("-")], "no option of test's"
        return
    if context.info_name in OTHERS_TOOLS:
        return
    words = list(context.args)
    context.args = ["--help"]  # asked for it, each becomes its program wherever it is
    assert command.callback is not None
    with pytest.raises(Became) as became:
        command.callback(context)
    _read(str(became.value), words)


def _read(module: str, words: list[str]) -> None:
    match module:
        case "api.operators.dead":
            letters.asked(words or ["--help"])
        case "api.operators.apps":
            apps.wish(apps.asked(words or ["--help"]))
        case "bench.replay":
            read_options(words)
        case _:
            _begin(module, words)


def _begin(module: str, words: list[str]) -> None:
    """Up to where the program has read its words."""
    read = argparse.ArgumentParser.parse_args

    def read_and_end(parser: argparse.ArgumentParser, words: Sequence[str]) -> NoReturn:
        read(parser, words)
        raise Understood

    found = find_spec(module)
    assert found is not None
    is_package = found.submodule_search_locations is not None
    program = importlib.import_module(f"{module}.__main__" if is_package else module)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(argparse.ArgumentParser, "parse_args", read_and_end)
        with pytest.raises(Understood):
            program.main(words)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_what_is_shown_to_type_is_understood(document: Path) -> None:
    assert not [" ".join(typed) for typed in TYPED[document] if not _is_understood(typed)]


def _is_understood(typed: Typed) -> bool:
    try:
        understand(typed)
    except (SystemExit, AssertionError, apps.Wrong, BenchError, pytest.fail.Exception):
        return False
    return True


@pytest.mark.parametrize(
    "line",
    [
        *("./mana nothing", "./mana up --nothing", "./mana backup", "./mana restart", "./mana up --workers many"),
        *("./mana test --nothing", "./mana usage rebuild", "./mana usage rebuild --from nowhere", "./mana replay"),
        *("./mana dead redrive", "./mana dead drop ID", "./mana dead nothing …", "./mana apps change ID"),
        *("./mana bench nothing", "./mana bench ledger --nothing", "./mana events republish"),
        *("./mana stripe reconcile --sinse 3d", "docker compose run --rm mana backup DIR"),
        "docker compose run --rm mana usage rebuild",
    ],
)
def test_what_means_nothing_is_noticed(line: str) -> None:
    (typed,) = typed_in(f"`{line}`")
    assert not _is_understood(typed)


def test_commands_are_found_as_they_are_written() -> None:
    text = """
Type `./mana
dead list`, or whatever `./mana` has, `./mana …`, or `MANA_HOME=/srv/mana ./mana up`; `mana up` is none.

```sh
./mana dead drop \\
    --all --because "a client's
mistake"  # to its makers
# and then ./mana nothing
git pull && ./mana stripe reconcile [--since 1h] > "$tmp/compared"
docker compose run --rm --user 1:2 --volume "$PWD/users:/work" mana users import users.jsonl
```

```text
./mana nothing
```
"""
    assert list(typed_in(text)) == [
        (MANA, "dead", "drop", "--all", "--because", "a client's\nmistake"),
        (MANA, "stripe", "reconcile", "--since", "1h"),
        (IN_CONTAINERS, "users", "import", "users.jsonl"),
        (MANA, "dead", "list"),
        (MANA, LEFT_OUT),
        (MANA, "up"),
    ]


def test_many_are_found() -> None:
    found = {typed for several in TYPED.values() for typed in several}
    assert len(found) > 100
    assert len([typed for typed in found if typed[0] == IN_CONTAINERS]) > 4
