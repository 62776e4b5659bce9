"""The guide of sign-in: what it tells its reader to type is typed, and what it shows is seen."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Generator, Mapping
from pathlib import Path

import httpx
import pytest

from ops.instance import UNHINDERED, Instance, private
from tests.e2e import node
from tests.e2e.starter import CHECKOUT
from tests.e2e.walkthrough import COMMANDS, Block, blocks_of, is_as_shown, outputs

GUIDE = blocks_of((CHECKOUT / "docs" / "guides" / "auth.md").read_text(encoding="utf-8"))
IN_JAVASCRIPT = "In JavaScript"
FILES = {"python": "examples/verify.py", "js": "examples/verify.mjs"}
"""Programs of others that the guide shows in whole, and runs by name."""
_LAUNCHER = f"""#!/bin/sh
exec {sys.executable} -P -m ops "$@"
"""


@pytest.fixture(scope="module")
def instance() -> Generator[Instance]:
    """Of its own, with the limits that a reader has, and since administrators and keys are made in it."""
    with private(partitions=8, name="guide", environment=dict.fromkeys(UNHINDERED, "")) as running:
        yield running


@pytest.fixture
def checkout(instance: Instance, tmp_path: Path) -> Path:
    """A folder that looks as a checkout does to the reader, with the instance's state in it.

    ``mana`` is the launcher without its first part, which would make an environment for this folder.
    """
    for name in ("examples", "clients"):
        shutil.copytree(CHECKOUT / name, tmp_path / name, ignore=shutil.ignore_patterns("node_modules"))
    (tmp_path / ".venv").symlink_to(CHECKOUT / ".venv")
    (tmp_path / ".mana").symlink_to(instance.place.home)
    launcher = tmp_path / "mana"
    launcher.write_text(_LAUNCHER)
    launcher.chmod(0o755)
    return tmp_path


def _commands(*, in_javascript: bool) -> list[Block]:
    return [
        block for block in GUIDE if block.language == COMMANDS and (block.section == IN_JAVASCRIPT) is in_javascript
    ]


def _walk(blocks: list[Block], checkout: Path, instance: Instance, environment: Mapping[str, str]) -> None:
    place = {"MANA_HOME": str(instance.place.home), "PYTHONPATH": str(CHECKOUT), "TMPDIR": str(checkout)}
    printed = outputs(blocks, checkout, {**place, **environment})
    wrong = [block for block in blocks if not is_as_shown(printed[block.line], block.shown)]
    told = "\n".join(f"line {block.line} shows\n{block.shown}\nand printed\n{printed[block.line]}" for block in wrong)
    assert not wrong, told


def test_what_it_shows_is_seen(checkout: Path, instance: Instance) -> None:
    _walk(_commands(in_javascript=False), checkout, instance, {})


def test_what_it_shows_in_javascript_is_seen(checkout: Path, instance: Instance) -> None:
    node.install(checkout / "clients" / "js")
    login = {"email": "eve@example.org", "password": "correct horse battery"}
    api = f"{instance.env['MANA_API_URL']}/api/v1/auth"
    with httpx.Client(trust_env=False) as client:
        client.post(f"{api}/register", json=login).raise_for_status()
        token: str = client.post(f"{api}/login", json=login).raise_for_status().json()["accessToken"]
    for_npm = {"PATH": f"{node.programs(checkout / 'bin')}:{os.environ['PATH']}", "HOME": os.environ["HOME"]}
    own = {"MANA_API_URL": instance.env["MANA_API_URL"], "token": token}
    _walk(_commands(in_javascript=True), checkout, instance, {**for_npm, **node.SURROUNDINGS, **own})


def test_every_block_is_executed_or_shown_beside_one() -> None:
    for block in GUIDE:
        assert block.language in {COMMANDS, *FILES}, f"line {block.line}: nothing runs this block"
    assert len(GUIDE) > 40


def test_the_programs_in_it_are_those_that_it_runs() -> None:
    shown = {block.language: block.text for block in GUIDE if block.language in FILES}
    for language, file in FILES.items():
        assert shown[language] in (CHECKOUT / file).read_text(encoding="utf-8")


def test_what_differs_is_told() -> None:
    assert is_as_shown('200 {"id":"0190","at":"2026"}\n', '200 {"id": "…",\n "at": "2…"}')
    assert not is_as_shown('{"id":"0190","name":null}', '{"id": "…"}')
    assert not is_as_shown("anything", None)
    assert is_as_shown("", None)


def test_a_command_that_fails_is_named_by_its_line(tmp_path: Path) -> None:
    guide = "# A\n```sh\ntrue\n```\n\n```sh\necho so\nfalse\n```\n```sh\ntrue\n```\n"
    with pytest.raises(AssertionError, match="line 6 ended with 1:\nso"):
        outputs(blocks_of(guide), tmp_path, {})
