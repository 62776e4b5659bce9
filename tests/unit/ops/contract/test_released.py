"""Goal: a checkout whose contract breaks what its last release promised is refused, file and place named."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ops.contract import __main__ as program
from ops.contract.breaking import released
from ops.errors import LauncherError
from ops.place import CHECKOUT

TAG = "v1.2.0"
EVENT = f"{released.SCHEMAS}/event.credits.used.json"
USE = f"{released.SCHEMAS}/credits.use.json"


def git(checkout: Path, *words: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", checkout, *identity, *words], check=True, capture_output=True)


def commit(checkout: Path) -> None:
    git(checkout, "add", "-A")
    git(checkout, "commit", "-q", "--allow-empty", "-m", "a change")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with today's contract, and no release yet."""
    checkout = tmp_path_factory.mktemp("unreleased")
    shutil.copytree(CHECKOUT / released.SCHEMAS, checkout / released.SCHEMAS)
    (checkout / released.OPENAPI).parent.mkdir(parents=True)
    shutil.copy(CHECKOUT / released.OPENAPI, checkout / released.OPENAPI)
    git(checkout, "init", "-q", "-b", "main")
    commit(checkout)
    return checkout


@pytest.fixture
def checkout(first: Path, tmp_path: Path) -> Path:
    """The same, released, and with commits and tags of other kinds behind."""
    checkout = tmp_path / "checkout"
    shutil.copytree(first, checkout)
    git(checkout, "tag", "v1.0.0")
    commit(checkout)
    git(checkout, "tag", TAG)
    commit(checkout)
    git(checkout, "tag", "experiment")
    return checkout


def change(checkout: Path, name: str, how: Callable[[dict[str, Any]], Any]) -> None:
    document = json.loads((checkout / name).read_text())
    how(document)
    (checkout / name).write_text(json.dumps(document))


def test_this_checkout_breaks_nothing_that_was_released(capsys: pytest.CaptureFixture[str]) -> None:
    """The check over the real thing: what it says is shown where it fails."""
    assert (program.main(["compare"]), capsys.readouterr().err) == (0, "")


def test_without_a_release_it_says_so(first: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["compare", "--checkout", str(first)]) == 0
    assert capsys.readouterr().out == "There is no release yet (no tag v…): nothing to compare the contract with.\n"


def test_nothing_changed(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert released.last_release(checkout) == TAG
    assert program.main(["compare", "--checkout", str(checkout)]) == 0
    assert capsys.readouterr().out == f"Nothing breaks what was released as {TAG}.\n"


def test_what_is_broken_is_refused(checkout: Path) -> None:
    """From outside, as `./mana contract compare` runs it: a bound of a command, a field of an event, a route."""
    change(checkout, USE, lambda d: d["$defs"]["Use"]["properties"]["amount"].update(maximum=10))
    change(checkout, EVENT, lambda d: d["$defs"]["Transaction"]["required"].remove("balanceAfter"))
    change(checkout, released.OPENAPI, lambda d: d["paths"]["/api/v1/credits/use"].pop("post"))
    commit(checkout)
    words = [sys.executable, "-m", "ops.contract", "compare", "--checkout", str(checkout)]
    done = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"{USE}#/$defs/Use/properties/amount/maximum: maximum was `1000000000` and is `10`: less is accepted",
        f"{EVENT}#/$defs/Transaction/required: `balanceAfter` is no longer always there",
        f"{released.OPENAPI}#/paths/~1api~1v1~1credits~1use/post: the operation is gone",
        f"These break what was released as {TAG}; give what is new a name of its own beside the old.",
    ]


def test_a_type_that_is_gone_is_refused(checkout: Path) -> None:
    (checkout / EVENT).unlink()
    assert [str(found) for found in released.breaks(checkout, TAG)] == [
        f"{EVENT}#: the file is gone, and with it what it describes"
    ]


def test_what_may_grow_may_grow(checkout: Path) -> None:
    """New optional fields, new fields of events, new types, new kinds of transactions, new error codes."""
    change(checkout, USE, lambda d: d["$defs"]["Use"]["properties"].update(note={"type": "string"}))
    change(checkout, EVENT, lambda d: d["$defs"]["Transaction"]["properties"].update(note={"type": "string"}))
    change(checkout, EVENT, lambda d: d["$defs"]["Transaction"]["properties"]["type"]["enum"].append("gift"))
    codes = f"{released.SCHEMAS}/error-codes.json"
    change(checkout, codes, lambda d: d["enum"].append("too_early"))
    reply = f"{released.SCHEMAS}/credits.result.json"
    change(checkout, reply, lambda d: d["$defs"]["Error"]["properties"]["code"]["enum"].append("too_early"))
    (checkout / released.SCHEMAS / "event.credits.new.json").write_text("{}")
    assert released.breaks(checkout, TAG) == []


def test_directions_are_not_mistaken(checkout: Path) -> None:
    """A wider command and a narrower event are fine, the other way round they are not."""
    change(checkout, USE, lambda d: d["$defs"]["Use"]["properties"]["amount"].pop("maximum"))
    change(checkout, EVENT, lambda d: d["$defs"]["Transaction"]["properties"]["sequence"].update(minimum=1))
    assert released.breaks(checkout, TAG) == []
    change(checkout, EVENT, lambda d: d["$defs"]["Transaction"]["properties"]["origin"]["enum"].append("robot"))
    change(checkout, USE, lambda d: d["$defs"]["Use"]["properties"].pop("metadata"))
    assert {found.file for found in released.breaks(checkout, TAG)} == {USE, EVENT}


def test_no_checkout_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LauncherError, match="git tag"):
        released.last_release(tmp_path)
    assert program.main(["compare", "--checkout", str(tmp_path)]) == 1
    assert "not a git repository" in capsys.readouterr().err
