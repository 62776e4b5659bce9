"""Integration tests on servers that are there already, as ./mana test --containers runs all of them on containers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ops import urls
from ops.instance import private
from tests.e2e.starter import CHECKOUT

PARTITIONS = 4
_OF_EACH_PACKAGE = (
    *("api/test_spending.py", "api/test_row_security.py", "api/test_pooled.py"),
    *("apps/client", "apps/test_allowed.py", "apps/test_keeping.py"),
    "auth/test_database_of_others.py",
    *("ledger/test_execute.py", "ledger/test_rights.py"),
    "mail",
    *("migrations/test_schema_needed.py", "migrations/test_runner.py"),
    "throttle",
    *("workers/test_commands.py", "workers/test_reconciling.py", "workers/test_servers.py"),
)
"""Some that ask for much: databases, virtual hosts, logins, settings of servers. All of them take as long as ever."""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_integration_tests_pass_on_given_servers(tmp_path: Path) -> None:
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
        pids = {process.name: process.pid for process in servers.status.processes}
        (tmp_path / "given.json").write_text(json.dumps(given))
        options = ["-q", "-m", "not slow", "-o", f"cache_dir={tmp_path}", "--given", str(tmp_path / "given.json")]
        tests = [f"tests/integration/{name}" for name in _OF_EACH_PACKAGE]
        command = [sys.executable, "-m", "pytest", *options, *tests]
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "deselected" in done.stdout, "a test that kills its servers is among them"
        assert {process.name: process.pid for process in servers.status.processes} == pids
