"""./mana up, down, status, logs and migrate with real servers; the front and the workers are in other tests."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from contracts.topology import ADMIN_LOGIN, LOGINS, REDRIVE_LOGIN, WORKER_LOGIN
from ops import instance
from ops.place import Place
from tests.e2e.intruders import database_urls, intruding
from tests.e2e.sockets import is_on_loopback_only, listeners
from tests.e2e.starter import CHECKOUT, Starter

SERVERS = {"epmd": "epmd", "postgres": "postgres", "rabbitmq": "beam.smp", "redis": "redis-server"}
ADDRESSES = {
    "MANA_API_URL",
    "MANA_AMQP_URL",
    "MANA_RABBITMQ_MANAGEMENT_URL",
    "MANA_DATABASE_READONLY_URL",
    "MANA_DATABASE_OWNER_URL",
    "MANA_REDIS_URL",
    "MANA_METRICS_URLS",
    "MANA_PROMETHEUS_URL",
    "MANA_ALERTMANAGER_URL",
}


@pytest.fixture(scope="module")
def up() -> Generator[Starter]:
    """Servers that run, in a place that their users can reach; stopped and removed at the end."""
    with tempfile.TemporaryDirectory(prefix="mana-launcher-") as folder:
        Path(folder).chmod(0o711)
        starter = Starter(Path(folder) / "home")
        starter.must("up", "--detach", "--servers-only", "--partitions", "4")
        try:
            yield starter
        finally:
            starter.run("down", "--purge")


def eventually(happened: Callable[[], bool], seconds: float = 40.0) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def lives(up: Starter) -> dict[str, tuple[Any, ...]]:
    """What a start would change; the state is of the moment, and may change without one."""
    return {name: (entry["pid"], entry["url"], entry["restarts"]) for name, entry in up.processes().items()}


def servers_of(up: Starter, database: str) -> dict[str, str]:
    """The settings that give its servers to somebody else, as their administrator."""
    env = up.env()
    host = env["MANA_DATABASE_OWNER_URL"].split("@")[1].split("/")[0]
    return {
        "DATABASE_URL": f"postgresql://mana_admin:{up.secrets()['postgres_admin']}@{host}/{database}",
        "AMQP_URL": env["MANA_AMQP_URL"],
        "RABBITMQ_MANAGEMENT_URL": env["MANA_RABBITMQ_MANAGEMENT_URL"],
        "REDIS_URL": env["MANA_REDIS_URL"],
    }


def test_status_names_the_servers_themselves(up: Starter) -> None:
    eventually(lambda: {entry["state"] for entry in up.processes().values()} == {"ready"})
    told = up.processes()
    assert set(told) == set(SERVERS)
    for name, command in SERVERS.items():
        assert Path(f"/proc/{told[name]['pid']}/comm").read_text().strip() == command


def test_servers_do_not_run_as_root(up: Starter) -> None:
    if os.geteuid() != 0:
        pytest.skip("not root")
    assert all(Path(f"/proc/{entry['pid']}").stat().st_uid != 0 for entry in up.processes().values())


def test_everything_listens_on_loopback_only(up: Starter) -> None:
    for entry in up.processes().values():
        assert is_on_loopback_only(entry["pid"]), (entry["name"], listeners(entry["pid"]))


def test_a_second_up_changes_nothing(up: Starter) -> None:
    before = lives(up)
    said = up.must("up", "--detach")
    assert "Already running" in said
    assert lives(up) == before


def test_another_number_of_partitions_is_refused_with_a_sentence(up: Starter) -> None:
    done = up.run("up", "--detach", "--partitions", "8")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "4 partitions, not 8" in done.stderr


def test_env_holds_the_contracts_lines_for_its_owner_alone(up: Starter) -> None:
    assert set(up.env()) == ADDRESSES
    for name in ("env", "state.json", "status.json"):
        assert stat.S_IMODE((up.home / name).stat().st_mode) == 0o600


def test_logs_are_printed_by_name_and_all_together(up: Starter) -> None:
    assert "database system is ready" in up.must("logs", "postgres")
    assert "==> rabbitmq <==" in up.must("logs")
    unknown = up.run("logs", "nobody")
    assert (unknown.returncode, unknown.stderr.count("\n")) == (1, 1)


def test_migrate_has_nothing_left_to_apply(up: Starter) -> None:
    assert "nothing to apply" in up.must("migrate")


async def test_postgresql_is_durable_and_wants_passwords(up: Starter) -> None:
    connection = await asyncpg.connect(up.env()["MANA_DATABASE_OWNER_URL"])
    try:
        for name in ("fsync", "full_page_writes", "synchronous_commit"):
            assert await connection.fetchval(f"SHOW {name}") == "on"
        stored = await connection.fetchval("SHOW password_encryption")
        assert stored == "scram-sha-256"
    finally:
        await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(up.env()["MANA_DATABASE_OWNER_URL"].replace("mana_owner:", "mana_owner:x"))


async def test_a_silent_worker_loses_its_connection(up: Starter) -> None:
    connection = await asyncpg.connect(up.env()["MANA_DATABASE_OWNER_URL"])
    settings = await connection.fetchval("SELECT rolconfig FROM pg_roles WHERE rolname = 'mana_worker'")
    await connection.close()
    assert sorted(settings) == ["idle_in_transaction_session_timeout=10s", "idle_session_timeout=10s"]


def test_the_broker_has_no_guest_and_the_logins_least_rights(up: Starter) -> None:
    env = up.env()
    login, password = env["MANA_AMQP_URL"].removeprefix("amqp://").split("@")[0].split(":")
    api = httpx.Client(base_url=env["MANA_RABBITMQ_MANAGEMENT_URL"], auth=(login, password))
    with api:
        users = {user["name"]: user["tags"] for user in api.get("/api/users").json()}
        rights = {right["user"]: right for right in api.get("/api/permissions").json()}
        queues = {queue["name"] for queue in api.get("/api/queues").json()}
    ours = [login.name for login in LOGINS if login.name != ADMIN_LOGIN]
    assert users == {"mana-admin": ["administrator"], **{name: [] for name in ours}}
    assert {rights[login]["configure"] for login in ours if login not in {WORKER_LOGIN, REDRIVE_LOGIN}} == {"^$"}
    assert queues == {
        *(f"credits.commands.{n}" for n in range(4)),
        *("credits.dead", "credits.dead.broker", "credits.events.log", "mana.mail", "stripe.events"),
    }


def test_a_killed_server_is_started_again(up: Starter) -> None:
    before = up.processes()["redis"]["pid"]
    os.kill(before, signal.SIGKILL)
    eventually(lambda: up.processes()["redis"]["pid"] not in (before, None))
    eventually(lambda: up.processes()["redis"]["state"] == "ready")


async def test_who_is_in_by_an_old_password_is_put_out_when_passwords_change(up: Starter) -> None:
    """All of them change: also administrators', and those that no process of ours logs in with."""
    old = instance.of(Place(up.home)).addresses
    async with intruding(old) as intruder:
        await asyncio.to_thread(up.must, "secrets", "rotate")
        await intruder.is_out()
    new = instance.of(Place(up.home)).addresses
    for before, now in zip(database_urls(old).values(), database_urls(new).values(), strict=True):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(before)
        await (await asyncpg.connect(now)).close()
    async with intruding(new):
        assert not set(old.secrets.logins.values()) & set(new.secrets.logins.values())
        assert new.secrets.former == {}
    eventually(lambda: {entry["state"] for entry in up.processes().values()} == {"ready"})


def test_a_second_supervisor_in_the_same_place_is_refused(up: Starter) -> None:
    status = up.home / "status.json"
    hidden = status.with_name("hidden.json")
    status.rename(hidden)  # as if the first one had not told anything yet
    try:
        done = up.run("up", "--detach")
    finally:
        hidden.rename(status)
    assert done.returncode == 1
    assert "Another ./mana is at work" in done.stderr.splitlines()[-1]


def test_another_manas_servers_are_not_taken_over_in_silence(up: Starter, tmp_path: Path) -> None:
    other, given = Starter(tmp_path / "home"), servers_of(up, "elsewhere")
    done = other.run("up", "--detach", "--servers-only", **given)
    assert done.returncode == 1
    assert "MANA_TAKE_OVER=1" in done.stderr.splitlines()[-1]
    assert "nothing to apply" in up.must("migrate")  # its role's password is the old one


def test_given_servers_are_used_and_none_is_started(up: Starter, tmp_path: Path) -> None:
    """From here on the fixture's own roles and logins are others'."""
    env, other = up.env(), Starter(tmp_path / "home")
    given = servers_of(up, "elsewhere")
    try:
        other.must("up", "--detach", "--servers-only", MANA_TAKE_OVER="1", **given)
        assert other.processes() == {}
        assert other.env()["MANA_AMQP_URL"] == env["MANA_AMQP_URL"]
        assert other.env()["MANA_DATABASE_OWNER_URL"].endswith(given["DATABASE_URL"].split("@")[1])
        assert "nothing to apply" in other.must("migrate", **given)
        secrets = other.secrets()
        assert "were not touched" in other.must("down", "--purge")
        assert other.secrets() == secrets
        other.must("up", "--detach", "--servers-only", **given)
    finally:
        other.must("down", "--purge")


def test_the_setup_of_other_peoples_servers_writes_what_each_process_needs(up: Starter, tmp_path: Path) -> None:
    """Twice, with the same passwords."""
    program = [sys.executable, "-m", "ops.setup"]
    servers, environment = servers_of(up, "composed"), dict[str, str]()
    for flag in ({"MANA_TAKE_OVER": "1"}, {}):
        environment = {**os.environ, **servers, **flag}
        for words in (["secrets", str(tmp_path)], ["servers", str(tmp_path / "state.json")]):
            subprocess.run([*program, *words, "--partitions", "4"], cwd=CHECKOUT, env=environment, check=True)
    done = subprocess.run(
        [*program, "servers", "nowhere"], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "python -m ops.setup secrets" in done.stderr
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "own.yaml").write_text((CHECKOUT / "examples" / "packages.yaml").read_text())
    trying = [*program, "operator", str(tmp_path / "state.json"), *("packages", "apply", "own.yaml", "--dry-run")]
    environment |= {"PYTHONPATH": str(CHECKOUT)}
    said = subprocess.run(trying, cwd=tmp_path / "work", env=environment, capture_output=True, text=True, check=True)
    assert "unchanged" in said.stdout, "a file is found where the command is typed"
    names = ("api", "apps", "mail", "payments", "relay", "usage", "worker")
    written = {name: json.loads((tmp_path / f"{name}.json").read_bytes()) for name in names}
    assert written["worker"]["DATABASE_URL"].startswith("postgresql://mana_worker:")
    assert written["mail"]["DATABASE_URL"].startswith("postgresql://mana_mail:")
    assert written["api"]["MANA_SECRET_KEY"]
    assert up.secrets()["postgres_admin"] not in str(written)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL"),
        ({"PORT": "70000"}, "PORT"),
        ({"DATABASE_URL": "postgresql://u:p@127.0.0.1:1/x"}, "DATABASE_URL"),
        ({"AMQP_URL": "amqp://u:p@127.0.0.1:1/"}, "RABBITMQ_MANAGEMENT_URL"),
        ({"AMQP_URL": "amqp://mana-admin:wrong@{amqp}/"}, "administrator"),
        ({"REDIS_URL": "redis://127.0.0.1:1"}, "REDIS_URL"),
    ],
)
def test_wrong_settings_end_in_one_sentence(up: Starter, tmp_path: Path, settings: dict[str, str], word: str) -> None:
    # Good servers are given too, so that none is started just to be stopped again.
    given = {"DATABASE_URL": up.env()["MANA_DATABASE_OWNER_URL"], "REDIS_URL": up.env()["MANA_REDIS_URL"]}
    given |= {"AMQP_URL": up.env()["MANA_AMQP_URL"]}
    given |= (
        {"RABBITMQ_MANAGEMENT_URL": up.env()["MANA_RABBITMQ_MANAGEMENT_URL"]}
        if word != "RABBITMQ_MANAGEMENT_URL"
        else {}
    )
    amqp = given["AMQP_URL"].split("@")[1].strip("/")
    wrong = {name: value.format(amqp=amqp) for name, value in settings.items()}
    done = Starter(tmp_path / "home").run("up", "--detach", **{**given, **wrong})
    assert done.returncode == 1
    assert word in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_server_that_cannot_start_leaves_no_other_one_behind(tmp_path: Path) -> None:
    """They start side by side: what was under way when one failed must not come up when all was stopped."""
    starter = Starter(tmp_path / "home")
    for _ in range(2):  # at the second start PostgreSQL has its data, and fails at once
        done = starter.run("up", "--detach", "--servers-only", BACKUP_WAL_DIR="not/from/the/root")
        assert done.returncode == 1
        assert "BACKUP_WAL_DIR" in done.stderr.splitlines()[-1]
    data = json.loads((tmp_path / "home" / "state.json").read_bytes())["data"]
    try:
        assert [known for known in _environments() if data in known] == []
    finally:
        starter.must("down", "--purge")


def _environments() -> list[str]:
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended meanwhile
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


def test_commands_that_need_a_running_instance_say_so(tmp_path: Path) -> None:
    starter = Starter(tmp_path / "home")
    for words in (["verify"], ["migrate"], ["keys", "rotate"], ["replay", "trace.csv"]):
        done = starter.run(*words)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "./mana up" in done.stderr
    assert starter.must("status", "--json") == "[]\n"
    assert "Nothing was running" in starter.must("down")


def test_down_leaves_the_data_and_purge_does_not(up: Starter) -> None:
    """The last one here: it stops the servers."""
    before = up.processes()
    assert up.must("down") == "Stopped.\n"
    assert not (up.home / "env").exists()
    assert not any(Path(f"/proc/{entry['pid']}").exists() for entry in before.values())
    assert (up.home / "data" / "postgres" / "cluster" / "PG_VERSION").exists()
    up.must("down", "--purge")
    assert [path.name for path in up.home.iterdir()] == ["lock"]
