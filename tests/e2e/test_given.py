"""The front's tests on servers that are there already, as ./mana test --containers runs them on containers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ops import urls
from ops.instance import private
from tests.e2e.starter import CHECKOUT
from tests.integration.api.process import PARTITIONS


@pytest.mark.slow
def test_the_fronts_tests_pass_on_given_servers(tmp_path: Path) -> None:
    with private(workers=0, partitions=PARTITIONS, with_processes=False, name="given") as servers:
        database = urls.with_login(
            servers.env["MANA_DATABASE_OWNER_URL"], "mana_admin", servers.addresses.secrets.postgres_admin
        )
        given = {
            "DATABASE_URL": urls.with_database(database, "elsewhere"),
            "AMQP_URL": servers.env["MANA_AMQP_URL"],
            "RABBITMQ_MANAGEMENT_URL": servers.env["MANA_RABBITMQ_MANAGEMENT_URL"],
            "REDIS_URL": servers.env["MANA_REDIS_URL"],
        }
        (tmp_path / "given.json").write_text(json.dumps(given))
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-o",
            f"cache_dir={tmp_path}",
            "--given",
            str(tmp_path / "given.json"),
        ]
        tests = ["tests/integration/api/test_spending.py", "tests/integration/api/test_row_security.py"]
        done = subprocess.run([*command, *tests], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
