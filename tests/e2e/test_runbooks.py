"""What the runbooks, and the pages beside them, tell somebody on call to type is typed, at a place that runs."""

from __future__ import annotations

import asyncio
import re
import shlex
import sys
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from contracts.topology import COMMANDS_EXCHANGE
from ops import looking, urls
from ops.instance import Instance
from ops.monitoring.asking import Prometheus
from ops.place import CHECKOUT
from ops.servers.prometheus import alerts_page
from tests.e2e.watching import eventually

OPERATIONS = CHECKOUT / "docs" / "operations"
RUNBOOKS = sorted((OPERATIONS / "runbooks").glob("*.md"))
PAGES = [*RUNBOOKS, *(OPERATIONS / f"{name}.md" for name in ("apps", "events", "keep", "watch"))]
TYPED = re.compile(r"(\./mana (?:psql|rabbitmqctl|rabbitmq-diagnostics|redis-cli|query) [^`]*)`")
BLOCK = re.compile(r"^( *)```sh\n(.*?)^\1?```", flags=re.DOTALL | re.MULTILINE)
FENCED = re.compile(r"^( *)```.*?^\1?```", flags=re.DOTALL | re.MULTILINE)
QUERY = re.compile(r"`((?:sum|max|min|rate|topk|increase|mana[_:]|rabbitmq_|process_|up\b)[^`]*)`")
APP_LOGINS = ("APP.SECRET", "chat.SECRET_ID")
# Of no process: PostgreSQL answers "false", and ends nothing.
PLACEHOLDERS = {
    "PID": "0",
    "rabbitmqctl WORDS": "rabbitmqctl version",
    "rabbitmq-diagnostics WORDS": "rabbitmq-diagnostics ping",
    "redis-cli WORDS": "redis-cli ping",
}
# What would have to be there first, or changes what all tests share.
NOT_TYPED = re.compile("pg_drop_replication_slot|set_vhost_limits|delete_user$")


def _commands() -> list[str]:
    found = list[str]()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = [block for _, block in BLOCK.findall(text)]
        found += [block.strip() for block in blocks if block.strip().startswith("./mana psql")]
        found += [" ".join(words.split()) for words in TYPED.findall(FENCED.sub("", text))]
    for name, value in PLACEHOLDERS.items():
        found = [words.replace(name, value) for words in found]
    return sorted({words for words in found if not NOT_TYPED.search(words)})


COMMANDS = _commands()


@pytest.fixture(scope="module")
def folder(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `./mana` is typed; its place is the running one, whatever else was exported."""
    folder = tmp_path_factory.mktemp("typed")
    (folder / "mana").write_text(f'#!/bin/sh\nMANA_HOME={instance.place.home} exec {sys.executable} -P -m ops "$@"\n')
    (folder / "mana").chmod(0o755)
    return folder


@pytest.fixture
def app_logins(instance: Instance) -> Generator[None]:
    """Logins that nobody has, of the names that the pages write."""
    administrator = urls.login_of(instance.env["MANA_AMQP_URL"])
    with httpx.Client(base_url=instance.env["MANA_RABBITMQ_MANAGEMENT_URL"], auth=administrator) as broker:
        for login in APP_LOGINS:
            broker.put(f"/api/users/{login}", json={"password_hash": "", "tags": ""}).raise_for_status()
        yield
        for login in APP_LOGINS:
            broker.delete(f"/api/users/{login}")


async def _run(words: list[str], folder: Path, **env: str) -> tuple[int | None, str]:
    told = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(CHECKOUT), "TERM": "dumb", **env}
    pipe = asyncio.subprocess.PIPE
    nothing = asyncio.subprocess.DEVNULL
    child = await asyncio.create_subprocess_exec(*words, cwd=folder, env=told, stdin=nothing, stdout=pipe, stderr=pipe)
    said, errors = await child.communicate()
    return child.returncode, (said + errors).decode()


def test_the_pages_use_every_tool() -> None:
    tools = {shlex.split(words)[1] for words in COMMANDS}
    assert tools == {"psql", "rabbitmqctl", "rabbitmq-diagnostics", "redis-cli", "query"}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("./mana psql -Atc 'SELECT current_user, current_database()'", "mana_admin|mana\n"),
        ("./mana psql --role mana_readonly -Atc 'SELECT current_user'", "mana_readonly\n"),
        ("./mana rabbitmqctl -q list_exchanges name", f"\n{COMMANDS_EXCHANGE}\n"),
        ("./mana redis-cli ping", "PONG\n"),
        ("./mana query 'vector(42)'", "42\n"),
    ],
)
async def test_each_tool_is_at_the_place(instance: Instance, folder: Path, typed: str, said: str) -> None:
    """Another place's addresses, exported, do not lead it away."""
    astray = dict.fromkeys(instance.env, "http://127.0.0.1:9")
    status, told = await _run(["sh", "-c", typed], folder, **astray)
    assert status == 0, told
    assert said in told


def test_no_password_is_on_a_command_line(instance: Instance) -> None:
    secrets = instance.addresses.secrets
    passwords = {secrets.postgres_admin, secrets.redis, secrets.erlang_cookie, *secrets.roles.values()}
    passwords |= set(secrets.logins.values())
    tools = [
        looking.psql(instance, None, []),
        looking.psql(instance, "mana_owner", []),
        looking.rabbit(instance, "rabbitmqctl", []),
        looking.redis_cli(instance, []),
    ]
    assert not [word for tool in tools for word in tool.argv if any(password in word for password in passwords)]
    assert [tool.env.get("PGPASSWORD") for tool in tools[:2]] == [secrets.postgres_admin, secrets.roles["mana_owner"]]


@pytest.mark.parametrize("typed", [words for words in COMMANDS if words.startswith("./mana psql")])
async def test_what_is_asked_of_postgresql_is_answered(instance: Instance, typed: str, tmp_path: Path) -> None:
    tool = looking.psql(instance, None, ["-v", "ON_ERROR_STOP=1", *_own(shlex.split(typed)[2:])])
    status, told = await _run(tool.argv, tmp_path, **tool.env)
    assert status == 0, told


def _own(words: list[str]) -> list[str]:
    return words[2:] if words[0] == "--role" else words


def test_every_expression_is_one_that_prometheus_takes(instance: Instance) -> None:
    texts = [re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE) for page in RUNBOOKS]
    expressions = {" ".join(found.split()) for text in texts for found in QUERY.findall(text)}
    expressions |= {shlex.split(words)[2] for words in COMMANDS if words.startswith("./mana query")}
    assert len(expressions) > 30
    with Prometheus.at(instance.env["MANA_PROMETHEUS_URL"]) as asked:
        for expression in expressions:
            asked.now(expression)
        eventually(lambda: bool(asked.now("up == 1")))


def test_the_page_of_alerts_is_one_that_there_is(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.servers.prometheus._PATIENCE_SECONDS", 40.0)
    page = alerts_page(instance.env["MANA_PROMETHEUS_URL"])
    answer = httpx.get(page, timeout=40, trust_env=False)
    assert (answer.status_code, "ProcessGone" in answer.text) == (200, True)


@pytest.mark.slow
@pytest.mark.usefixtures("app_logins")
@pytest.mark.parametrize("typed", COMMANDS)
async def test_what_is_typed_is_carried_out(folder: Path, typed: str) -> None:
    status, told = await _run(["sh", "-c", typed], folder)
    assert status == 0, told
