"""docs/operations/deploy.md: the steps of production, in their order; what is added to docker-compose.yml, and started
without it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from ops.place import CHECKOUT
from ops.setup import secret_files
from tests.composed import FILE, OURS, SERVICES
from tests.e2e.walkthrough import blocks_of
from tests.unit.ops import docker

PAGE = (CHECKOUT / "docs" / "operations" / "deploy.md").read_text(encoding="utf-8")
(PRODUCTION,) = re.findall(r"^## In production.*?(?=^## )", PAGE, flags=re.DOTALL | re.MULTILINE)
OWN = f"secrets/{secret_files.OWN}"
SETTINGS = "`.env`"
_ACT = re.compile(rf"`(sh ops/[^`]*|docker compose [^`]*|{re.escape(OWN)})`|({re.escape(SETTINGS)})")


def acts() -> Iterator[str]:
    """What is to be typed in the checkout, and the files to be written, in their order."""
    for typed, written in _ACT.findall(PRODUCTION):
        yield written or " ".join(typed.split())


def test_the_steps_are_numbered_without_a_gap() -> None:
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", PRODUCTION, flags=re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 5


def test_the_steps_can_be_walked(tmp_path: Path) -> None:
    """With a docker that makes secrets here, and agrees to all else."""
    (tmp_path / "ops").symlink_to(CHECKOUT / "ops")
    program = f'PYTHONPATH="{CHECKOUT}" "{sys.executable}" -m ops.setup secrets secrets'
    environment = docker.standing_in(tmp_path / "bin", f"run*) {program};; *version*) echo 2.35.0")
    (settings,) = [block.text for block in blocks_of(PRODUCTION) if "MANA_DOMAIN=" in block.text]
    for act in acts():
        if act == SETTINGS:
            (tmp_path / ".env").write_text(settings)
        elif act == OWN:
            own = json.loads((tmp_path / OWN).read_text())
            (tmp_path / OWN).write_text(json.dumps({**own, "SMTP_URL": "smtps://login:password@mail.example.com"}))
        else:
            subprocess.run(["sh", "-euc", act], cwd=tmp_path, env=environment, check=True, stdout=subprocess.DEVNULL)
    told = json.loads((tmp_path / "secrets" / "mail.json").read_text())
    assert told["SMTP_URL"] == "smtps://login:password@mail.example.com"
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked.index("compose build setup") < asked.index("compose up --build --detach")


def test_one_more_worker_and_one_more_front_are_services_as_the_others_are() -> None:
    (more,) = [block.text for block in blocks_of(PAGE) if block.language == "yaml"]
    before, behind = FILE.read_text(encoding="utf-8").split("\n  prometheus:\n", 1)
    services = yaml.safe_load(f"{before}\n{more}\n  prometheus:\n{behind}")["services"]
    named = {**SERVICES["worker-2"]["environment"], "MANA_PROCESS_NAME": "worker-3"}
    added = {"worker-3": {**SERVICES["worker-2"], "environment": named}, "api-3": SERVICES["api-2"]}
    assert services == {**SERVICES, **added}


def test_what_is_started_without_docker_is_what_docker_starts() -> None:
    """By the same module, told of the same secrets, at the same port: all services of ours that stay."""
    rows = re.findall(r"^\| `([\w-]+)` \| `python -m ([\w.]+)` \| `(\w+)\.json` \| `(\w+=\d+)` \|", PAGE, re.MULTILINE)
    started = {name.replace("-N", "-1"): told for name, *told in rows}
    for name, (module, secrets, port) in started.items():
        service = SERVICES[name]
        environment = service["environment"]
        ports = [f"{key}={environment[key]}" for key in ("PORT", "METRICS_PORT") if key in environment]
        assert [*service["command"][-1:], *service["secrets"], *ports] == [module, secrets, port], name
    assert {*started, "worker-2", "api-2"} == {*OURS} - {"setup", "mana"}
