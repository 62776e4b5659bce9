"""docker-compose.yml by a linter's rules of good practice (dclint), where npm's registry can be reached.

It looks at the specification's schema too; that is looked at everywhere by tests/unit/ops/test_compose_schema.py.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.composed import COMPOSED
from tests.e2e import node
from tests.e2e.starter import CHECKOUT

_ON_PURPOSE = {
    "no-build-and-image",  # one image for all of our processes
    "no-duplicate-exported-ports",  # of two profiles, of which one runs
}


class _Plain(yaml.SafeDumper):
    """As ``docker compose config`` prints it: what is said once and meant often stands everywhere."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


@pytest.fixture(scope="module")
def linter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dclint")
    shutil.copytree(CHECKOUT / "tests" / "e2e" / "compose", folder, dirs_exist_ok=True)
    node.install(folder)
    return folder / "node_modules" / "dclint"


def _whole() -> dict[str, Any]:
    return {name: value for name, value in COMPOSED.items() if not name.startswith("x-")}


def _errors(linter: Path, composed: dict[str, Any], file: Path) -> list[tuple[str, str]]:
    """The rules that are broken, and how; ``invalid-schema`` is the specification's own."""
    file.write_text(yaml.dump(composed, Dumper=_Plain, sort_keys=False))
    command = [str(node.NODE), str(linter / "bin" / "dclint.cjs"), "--formatter", "json", "--quiet", str(file)]
    done = subprocess.run(command, cwd=file.parent, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)[0]["messages"]
    return [(one["rule"], one["message"]) for one in told if one["type"] == "error"]


def test_it_fits_the_schema_and_is_good_practice(linter: Path, tmp_path: Path) -> None:
    errors = _errors(linter, _whole(), tmp_path / "docker-compose.yml")
    assert [(rule, message) for rule, message in errors if rule not in _ON_PURPOSE] == []


@pytest.mark.parametrize(
    ("spoilt", "rule"),
    [({"healthchek": {}}, "invalid-schema"), ({"image": "redis:latest"}, "service-image-require-explicit-tag")],
)
def test_what_is_wrong_is_found(linter: Path, tmp_path: Path, spoilt: dict[str, Any], rule: str) -> None:
    composed = {"services": {"redis": {"image": "redis:7.4.5", **spoilt}}}
    assert rule in {found for found, _ in _errors(linter, composed, tmp_path / "docker-compose.yml")}
