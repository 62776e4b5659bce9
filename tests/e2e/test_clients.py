"""The examples: each spends a credit, by the queue or by REST, or reads the events, and the ledger's row is there."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import aio_pika
import asyncpg
import pytest
from aio_pika.exceptions import ChannelNotFoundEntity

from ops.instance import Instance
from tests.e2e import node
from tests.e2e.client import Client

CHECKOUT = Path(__file__).parents[2]
_SECONDS = 30.0


def _run(
    arguments: list[str], environment: Mapping[str, str], cwd: Path = CHECKOUT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )


def _answer_of(arguments: list[str], instance: Instance, cwd: Path = CHECKOUT) -> dict[str, Any]:
    """Runs a client with the instance's addresses; what it prints. Fails where its status is not 0."""
    done = _run(arguments, instance.env, cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _needs_curl() -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")


def _is_honest(arguments: list[str], instance: Instance, user: str, cwd: Path = CHECKOUT) -> None:
    """Another app by argument and by environment; a refusal's status is 1; without arguments there is a usage line."""
    named = _answer_of([*arguments, user, "1", str(uuid.uuid4()), "notes"], instance, cwd)
    assert named["transaction"]["appId"] == "notes"
    by_environment = _run([*arguments, user], {**instance.env, "APP_ID": "mail"}, cwd)
    assert json.loads(by_environment.stdout)["transaction"]["appId"] == "mail"
    refused = _run([*arguments, user, "100000"], instance.env, cwd)
    assert (refused.returncode, json.loads(refused.stdout)["error"]["code"]) == (1, "insufficient_credits")
    for given, environment in (([], instance.env), ([user], {})):
        helped = _run([*arguments, *given], environment, cwd)
        assert (helped.returncode, helped.stdout) == (2, "")
        assert helped.stderr.startswith("usage: ")


def test_an_administrators_commands(instance: Instance, opened_user: str) -> None:
    """As the page on operations shows them."""
    page = (CHECKOUT / "docs" / "operations" / "auth.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\.venv/bin/python (examples/command\.py) (\S+) '(.*?}')$", page, re.DOTALL | re.MULTILINE)
    assert [kind for _, kind, _ in shown] == ["credits.grant", "credits.adjust"]
    balances: list[int] = []
    for program, kind, body in shown:
        arguments = [sys.executable, program, kind, body.removesuffix("'").replace("'$user'", opened_user)]
        answer = _answer_of(arguments, instance)
        assert _answer_of(arguments, instance)["replayed"], "once, however often it is sent"
        balances.append(answer["transaction"]["balanceAfter"] - answer["transaction"]["balanceBefore"])
    assert balances == [20, -5]
    helped = _run([sys.executable, "examples/command.py"], instance.env)
    assert (helped.returncode, helped.stderr[:6]) == (2, "usage:")
    forbidden = '{"userId": "' + opened_user + '"}'
    refused = _run([sys.executable, "examples/command.py", "credits.expire", forbidden], instance.env)
    assert (refused.returncode, json.loads(refused.stdout)["error"]["code"]) == (1, "forbidden")


async def _row(instance: Instance, user: str, key: str) -> tuple[str, int, str]:
    connection = await asyncpg.connect(instance.env["MANA_DATABASE_READONLY_URL"])
    try:
        row = await connection.fetchrow(
            "SELECT type, amount, app_id FROM credits.transactions WHERE account_id = $1 AND idempotency_key = $2",
            user,
            key,
        )
    finally:
        await connection.close()
    assert row is not None, f"no transaction under the key {key}"
    return tuple(row)


async def _spends_once(arguments: list[str], instance: Instance, user: str, cwd: Path = CHECKOUT) -> None:
    """Twice with one key: charged once, and the second answer says so."""
    key = f"example-{uuid.uuid4()}"
    first = _answer_of([*arguments, user, "4", key], instance, cwd)
    again = _answer_of([*arguments, user, "4", key], instance, cwd)
    assert first["ok"]
    assert first["transaction"]["amount"] == -4
    assert again == {**first, "replayed": True}
    assert await _row(instance, user, key) == ("usage", -4, "chat")


async def test_python(instance: Instance, opened_user: str) -> None:
    await _spends_once([sys.executable, "examples/spend.py"], instance, opened_user)
    _is_honest([sys.executable, "examples/spend.py"], instance, opened_user)


async def test_shell(instance: Instance, opened_user: str) -> None:
    _needs_curl()
    await _spends_once(["sh", "examples/spend.sh"], instance, opened_user)
    _is_honest(["sh", "examples/spend.sh"], instance, opened_user)


async def test_shell_with_defaults(instance: Instance, opened_user: str) -> None:
    _needs_curl()
    answer = _answer_of(["sh", "examples/spend.sh", opened_user], instance)
    assert answer["transaction"]["amount"] == -3


async def test_python_with_defaults(instance: Instance, opened_user: str) -> None:
    answer = _answer_of([sys.executable, "examples/spend.py", opened_user], instance)
    assert answer["transaction"]["amount"] == -3


@pytest.fixture(scope="module")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example with its library installed beside it, as a user would have it."""
    copy = tmp_path_factory.mktemp("javascript")
    shutil.copytree(CHECKOUT / "examples", copy / "examples")
    shutil.copytree(CHECKOUT / "clients", copy / "clients", ignore=shutil.ignore_patterns("node_modules"))
    node.install(copy / "clients" / "js")
    return copy


async def test_javascript(instance: Instance, opened_user: str, javascript: Path) -> None:
    await _spends_once([str(node.NODE), "examples/spend.mjs"], instance, opened_user, javascript)
    _is_honest([str(node.NODE), "examples/spend.mjs"], instance, opened_user, javascript)


async def test_balances_in_javascript(
    instance: Instance, client: Client, opened_user: str, javascript: Path, tmp_path: Path
) -> None:
    """What happens while it is there, and what happened while it was not; it ends by a signal, and goes on."""
    queue, file = f"test-{uuid.uuid4()}", tmp_path / "balances.json"
    try:
        with _keeping_balances(instance, javascript, file, queue) as lines:
            assert next(lines) == f"reading {queue}: 0 events before, 0 repeats\n"
            await client.use(opened_user, 3)
            assert await _kept(file, opened_user, sequence=2) == {"balance": 0, "freeCreditsRemaining": 147}
        await client.use(opened_user, 4)
        with _keeping_balances(instance, javascript, file, queue) as lines:
            assert re.fullmatch(rf"reading {queue}: [1-9]\d* events before, 0 repeats\n", next(lines))
            assert await _kept(file, opened_user, sequence=3) == {"balance": 0, "freeCreditsRemaining": 143}
    finally:
        await client.channel.queue_delete(queue)


@contextmanager
def _keeping_balances(instance: Instance, javascript: Path, file: Path, queue: str) -> Generator[Iterator[str]]:
    """What it prints, until it is ended as by `kill`."""
    process = subprocess.Popen(
        [node.NODE, "examples/balances.mjs", file, queue],
        cwd=javascript,
        env={"PATH": os.environ["PATH"], **instance.env},
        stdout=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(_SECONDS, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        yield iter(process.stdout)
        process.terminate()
        *_, last = process.communicate(timeout=_SECONDS)[0].splitlines()
        assert process.returncode == 0
        assert re.fullmatch(r"\d+ events of \d+ users, 0 repeats, \d+ gaps", last)
    finally:
        process.kill()
        process.communicate()
        watchdog.cancel()


async def _kept(file: Path, user: str, sequence: int) -> dict[str, int]:
    """The user's balance, once it is that behind this transaction."""
    async with asyncio.timeout(_SECONDS):
        while True:
            kept = (
                json.loads(file.read_bytes())["users"].get(user, {"sequence": 0}) if file.exists() else {"sequence": 0}
            )
            if kept.pop("sequence") >= sequence:
                return kept
            await asyncio.sleep(0.05)


async def test_rest(instance: Instance) -> None:
    _needs_curl()
    key = f"example-{uuid.uuid4()}"
    done = _run(["sh", "examples/spend-rest.sh", "4", key, "notes"], instance.env)
    assert done.returncode == 0, done.stderr
    user, used, balance = map(json.loads, done.stdout.splitlines())
    assert used["transaction"]["amount"] == -4
    assert balance["freeCreditsRemaining"] == used["transaction"]["balanceAfter"] == 146
    assert await _row(instance, user["id"], key) == ("usage", -4, "notes")


def test_rest_that_is_refused(instance: Instance) -> None:
    _needs_curl()
    refused = _run(["sh", "examples/spend-rest.sh", "999"], instance.env)
    assert refused.returncode != 0
    assert json.loads(refused.stdout.splitlines()[-1])["code"] == "insufficient_credits"
    assert _run(["sh", "examples/spend-rest.sh"], {}).stderr.startswith("usage: ")


@contextmanager
def _reading(arguments: list[str], instance: Instance) -> Generator[Iterator[str]]:
    """The lines that a subscriber prints; it is ended as by Ctrl-C, and must say nothing then."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=CHECKOUT,
        env={"PATH": os.environ["PATH"], **instance.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(_SECONDS, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        yield iter(process.stdout)
    finally:
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=_SECONDS)
        watchdog.cancel()
    assert (process.returncode, complaints) == (0, "")


async def _is_read(instance: Instance, queue: str) -> None:
    """Returns once the queue has a consumer: by then it is bound."""
    deadline = time.monotonic() + _SECONDS
    async with await aio_pika.connect(instance.env["MANA_AMQP_URL"]) as connection:
        while time.monotonic() < deadline:
            with suppress(ChannelNotFoundEntity):
                found = await (await connection.channel()).declare_queue(queue, passive=True)
                if found.declaration_result.consumer_count:
                    return
            await asyncio.sleep(0.1)
    pytest.fail(f"nothing reads {queue}")


async def test_subscriber_and_log(instance: Instance, client: Client, opened_user: str) -> None:
    queue = f"test-{uuid.uuid4()}"
    try:
        with _reading(["examples/subscribe.py", queue], instance) as lines:
            await _is_read(instance, queue)
            used = await client.use(opened_user, 2, appId="chat")
            event = await asyncio.to_thread(_event_of, lines, used["transaction"]["id"])
        assert (event["type"], event["subject"], event["sequence"]) == ("credits.used", opened_user, 2)
        # What happened while nobody read comes at the next run.
        missed = await client.use(opened_user, 1, appId="chat")
        with _reading(["examples/subscribe.py", queue], instance) as lines:
            assert (await asyncio.to_thread(_event_of, lines, missed["transaction"]["id"]))["sequence"] == 3
    finally:
        await client.channel.queue_delete(queue)
    with _reading(["examples/read_log.py"], instance) as lines:
        bodies = (line.partition(" ")[2] for line in lines)
        assert await asyncio.to_thread(_event_of, bodies, event["id"]) == event


def _event_of(lines: Iterator[str], event_id: str) -> dict[str, Any]:
    """The event of this id, once it is printed; those of other tests are passed over."""
    return next(event for event in map(json.loads, lines) if event["id"] == event_id)


@pytest.mark.parametrize("example", ["subscribe.py", "read_log.py"])
def test_a_subscriber_without_an_address_is_told_how(example: str) -> None:
    helped = _run([sys.executable, f"examples/{example}"], {})
    assert (helped.returncode, helped.stdout) == (2, "")
    assert helped.stderr.startswith("usage: ")


def test_the_javascript_lock_names_no_registry() -> None:
    """Pinned by hash; where it comes from is the business of whoever installs it."""
    lock = json.loads((CHECKOUT / "clients/js/package-lock.json").read_text(encoding="utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    assert all("integrity" in package and "resolved" not in package for package in packages.values())
