"""docker-compose.yml by the compose specification's own schema, which a package of the tests' brings along."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ops.place import CHECKOUT
from tests.composed import FILE

_RELAY = "  relay:\n    <<: *mana\n"


def _checked(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_fits_the_schema() -> None:
    done = _checked(FILE)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        (_RELAY, f"{_RELAY}    healthchek: {{}}\n", "'healthchek' was unexpected"),
        ("condition: service_healthy", "condition: service_is_healthy", "is not one of"),
        ("name: mana\n", "name: mana\nservces: {}\n", "'servces'"),
    ],
)
def test_what_is_wrong_is_found(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    text = FILE.read_text(encoding="utf-8")
    assert right in text
    (tmp_path / "docker-compose.yml").write_text(text.replace(right, wrong, 1))
    done = _checked(tmp_path / "docker-compose.yml")
    assert done.returncode == 1
    assert said in done.stdout + done.stderr


def _twice(text: str) -> list[str]:
    """Keys that stand twice in one mapping: readers of YAML take the last one, and say nothing."""
    found: list[str] = []
    nodes = [yaml.compose(text, Loader=yaml.SafeLoader)]
    while nodes:
        match nodes.pop():
            case yaml.MappingNode(value=pairs):
                keys = [key.value for key, _ in pairs]
                found += [key for key in set(keys) if keys.count(key) > 1]
                nodes += [value for _, value in pairs]
            case yaml.SequenceNode(value=items):
                nodes += items
            case _:
                pass
    return found


@pytest.mark.parametrize("file", [FILE, *sorted((CHECKOUT / "ops").rglob("*.yml"))], ids=lambda file: file.name)
def test_no_key_stands_twice(file: Path) -> None:
    assert _twice(file.read_text(encoding="utf-8")) == []


def test_a_key_that_stands_twice_is_found_beside_what_is_merged_too() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert _twice(text.replace(_RELAY, f"{_RELAY}    image: other\n    image: another\n", 1)) == ["image"]
