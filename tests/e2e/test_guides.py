"""The guides: what they tell their reader to type is typed, and what they show is seen."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Generator, Mapping
from pathlib import Path

import httpx
import pytest

from contracts.stripe import API_VERSION
from ops import demo, ports
from ops.instance import UNHINDERED, Instance, private
from tests.e2e import node
from tests.e2e.chat import chatting
from tests.e2e.starter import CHECKOUT
from tests.e2e.walkthrough import COMMANDS, ELSEWHERE, Block, blocks_of, is_as_shown, outputs
from tests.integration.api.users import sign_up
from workers.payments.model import OBJECTS

pytestmark = pytest.mark.timeout(400)

GUIDES = CHECKOUT / "docs" / "guides"
AUTH = blocks_of((GUIDES / "auth.md").read_text(encoding="utf-8"))
SELLING = (GUIDES / "payments.md").read_text(encoding="utf-8")
PAYMENTS = blocks_of(SELLING)
FIRST_APP = blocks_of((GUIDES / "first-app.md").read_text(encoding="utf-8"))
SUBSCRIBING = blocks_of((GUIDES / "subscribe.md").read_text(encoding="utf-8"))
IN_JAVASCRIPT = "In JavaScript"
SHOWN_PROGRAMS = (
    (AUTH, "python", "examples/verify.py"),
    (AUTH, "js", "examples/verify.mjs"),
    (PAYMENTS, "js", "examples/buy.mjs"),
)
"""Programs of others that a guide shows, and runs by name."""
BY_STRIPES_KEYS = ("stripe ", "./mana up ", "./mana down", "export STRIPE_SECRET_KEY=", "export STRIPE_WEBHOOK_SECRET=")
"""All that a guide may tell its reader to type, and nobody types here: it needs an account at Stripe, or is another
start of the service."""
NOWHERE = "http://127.0.0.1:1"
_OFFLINE = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "false", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
"""Of ``PIP_NO_…``, pip takes false for yes."""
_LAUNCHER = f"""#!/bin/sh
exec {sys.executable} -P -m ops "$@"
"""


@pytest.fixture(scope="module")
def instance() -> Generator[Instance]:
    """Of its own, since administrators and keys are made in it, and with the limits that a reader has: those of
    several who share an address. What they show of limits is counted in Redis alone, also where that takes a while."""
    limits = {**dict.fromkeys(UNHINDERED, ""), "RATE_LIMIT_MAX": "400", "RATE_LIMIT_REGISTER": "40/1h"}
    limits["REDIS_WAIT_MS"] = "5000"
    with private(partitions=8, name="guide", environment=limits, with_stand_in=True) as running:
        yield running


@pytest.fixture
def checkout(instance: Instance, tmp_path: Path) -> Path:
    """A folder that looks as a checkout does to the reader, with the instance's state in it.

    ``mana`` is the launcher without its first part, which would make an environment for this folder.
    """
    for name in ("examples", "clients"):
        shutil.copytree(CHECKOUT / name, tmp_path / name, ignore=shutil.ignore_patterns("node_modules"))
    _make_environment(tmp_path / ".venv")
    (tmp_path / ".mana").symlink_to(instance.place.home)
    launcher = tmp_path / "mana"
    launcher.write_text(_LAUNCHER)
    launcher.chmod(0o755)
    return tmp_path


def _make_environment(folder: Path) -> None:
    """One that has all packages of ours, and into which the reader may install others without changing ours."""
    venv.create(folder, symlinks=True, with_pip=False)
    [own] = folder.glob("lib/*/site-packages")
    (own / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")


def _commands(guide: list[Block], *, in_javascript: bool) -> list[Block]:
    """What is typed, and the programs that are saved."""
    done = [block for block in guide if block.language == COMMANDS or block.saved_as()]
    return [block for block in done if (block.section == IN_JAVASCRIPT) is in_javascript]


def _walk(blocks: list[Block], checkout: Path, instance: Instance, environment: Mapping[str, str]) -> None:
    """``PYTHONPATH`` is for the launcher. All packages are here: pip is to build the client, and to fetch nothing."""
    place = {"MANA_HOME": str(instance.place.home), "PYTHONPATH": str(CHECKOUT), "TMPDIR": str(checkout), **_OFFLINE}
    printed = outputs(blocks, checkout, {**place, **environment})
    wrong = [block for block in blocks if not is_as_shown(printed[block.line], block.shown)]
    told = "\n".join(f"line {block.line} shows\n{block.shown}\nand printed\n{printed[block.line]}" for block in wrong)
    assert not wrong, told


def test_what_it_shows_is_seen(checkout: Path, instance: Instance) -> None:
    _walk(_commands(AUTH, in_javascript=False), checkout, instance, {})


def test_what_it_shows_in_javascript_is_seen(checkout: Path, instance: Instance) -> None:
    node.install(checkout / "clients" / "js")
    login = {"email": "eve@example.org", "password": "correct horse battery"}
    api = f"{instance.env['MANA_API_URL']}/api/v1/auth"
    with httpx.Client(trust_env=False) as client:
        client.post(f"{api}/register", json=login).raise_for_status()
        token: str = client.post(f"{api}/login", json=login).raise_for_status().json()["accessToken"]
    own = {"MANA_API_URL": instance.env["MANA_API_URL"], "token": token}
    _walk(_commands(AUTH, in_javascript=True), checkout, instance, {**_for_npm(checkout), **node.SURROUNDINGS, **own})


def test_what_selling_shows_is_seen(checkout: Path, instance: Instance) -> None:
    demo.run(instance.env, instance.status)  # as its first command does
    with_node = {"PATH": f"{node.programs(checkout / 'bin')}:{os.environ['PATH']}"}
    _walk([block for block in PAYMENTS if block.language == COMMANDS], checkout, instance, with_node)


def test_what_the_first_app_shows_is_seen(checkout: Path, instance: Instance) -> None:
    port = {"CHAT_PORT": str(ports.choose(None, ()))}
    _walk(_commands(FIRST_APP, in_javascript=False), checkout, instance, port)


def test_what_subscribing_shows_is_seen(checkout: Path, instance: Instance) -> None:
    _walk(_commands(SUBSCRIBING, in_javascript=False), checkout, instance, {})


@pytest.mark.slow  # test_clients.py runs the same program
def test_what_subscribing_shows_in_javascript_is_seen(checkout: Path, instance: Instance) -> None:
    node.install(checkout / "clients" / "js")
    with httpx.Client(base_url=instance.env["MANA_API_URL"], trust_env=False) as front:
        login = {"email": "ivan@example.com", "password": "correct horse battery"}
        user: str = front.post("/api/v1/auth/register", json=login).raise_for_status().json()["id"]
    addresses = {app: _address(app, checkout, instance) for app in ("mail", "reports")}
    _walk(
        _commands(SUBSCRIBING, in_javascript=True),
        checkout,
        instance,
        {**_for_npm(checkout), **node.SURROUNDINGS, **addresses, "user": user},
    )


def _for_npm(checkout: Path) -> dict[str, str]:
    return {"PATH": f"{node.programs(checkout / 'bin')}:{os.environ['PATH']}", "HOME": os.environ["HOME"]}


def _address(app: str, checkout: Path, instance: Instance) -> str:
    """The broker's address for an app as the guide makes it, or has made it before."""
    for words in (["create", app, "--permission", "admin"], ["add-secret", app]):
        done = subprocess.run(
            [checkout / "mana", "apps", *words],
            env={"MANA_HOME": str(instance.place.home), "PYTHONPATH": str(CHECKOUT)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        if done.returncode == 0:
            return re.findall(r"amqp://\S+", done.stdout)[0]
    raise AssertionError(done.stderr)


async def test_the_chat_leads_to_where_credits_are_paid(instance: Instance, tmp_path: Path) -> None:
    async with (
        httpx.AsyncClient(base_url=instance.env["MANA_API_URL"], timeout=40, trust_env=False) as front,
        chatting(instance.env, tmp_path) as chat,
    ):
        user = await sign_up(front)
        account = (await chat.get("/account", headers=user.headers)).json()
        order = {"package_id": account["packages"][0]["id"]}
        begun = await chat.post("/orders", json=order, headers=user.headers)
        assert begun.status_code == 200, begun.text
        page = await front.get(begun.json()["url"])
        assert 'id="payment-form"' in page.text


@pytest.mark.parametrize(("guide", "least"), [(AUTH, 40), (PAYMENTS, 10), (FIRST_APP, 10), (SUBSCRIBING, 9)])
def test_every_block_is_executed_or_shown_beside_one(guide: list[Block], least: int) -> None:
    for number, block in enumerate(guide):
        programs = {language for of, language, _ in SHOWN_PROGRAMS if of is guide}
        if name := block.saved_as():
            typed = [later.text for later in guide[number:] if later.language == COMMANDS]
            assert any(f"python {name} " in text for text in typed), f"line {block.line}: nothing runs {name}"
        else:
            assert block.language in {COMMANDS, ELSEWHERE, *programs}, f"line {block.line}: nothing runs this block"
    assert len([block for block in guide if block.language == COMMANDS]) >= least


def test_what_is_not_executed_needs_stripe() -> None:
    typed = [
        line
        for block in (*AUTH, *PAYMENTS, *FIRST_APP, *SUBSCRIBING)
        if block.language == ELSEWHERE
        for line in block.typed()
    ]
    assert len(typed) > 5
    for line in typed:
        assert line.startswith(BY_STRIPES_KEYS), f"{line}: could be executed here"


def test_the_programs_in_them_are_those_that_they_run() -> None:
    for guide, language, file in SHOWN_PROGRAMS:
        [shown] = [block.text for block in guide if block.language == language]
        assert shown in (CHECKOUT / file).read_text(encoding="utf-8")
        assert any(file in block.text for block in guide if block.language == COMMANDS)


def test_selling_names_the_events_that_mean_something_here() -> None:
    [listen] = [line for block in PAYMENTS if block.language == ELSEWHERE for line in block.typed() if "listen" in line]
    named = listen.rpartition("--events ")[2].split(",")
    assert sorted(named) == sorted(OBJECTS)
    assert set(re.findall(r"`(20\d\d-\d\d-\d\d\.\w+)`", SELLING)) == {API_VERSION}


def test_selling_names_the_rights_that_are_needed_at_stripe() -> None:
    rows = re.findall(r"^\| [^|]+ \| (Read|Write) \| [^|]+ \| ((?:`[a-z_.]+`(?:, )?)+) \|$", SELLING, re.MULTILINE)
    named = {call: right for right, calls in rows for call in re.findall(r"`([a-z_.]+)`", calls)}
    assert set(named) == _calls_of_stripe()
    assert {call for call, right in named.items() if right == "Read"}.isdisjoint(
        call for call in named if not call.endswith((".list", ".retrieve"))
    )


def _calls_of_stripe() -> set[str]:
    """The operations of Stripe's library that our processes call."""
    found = set[str]()
    for package in ("api/payments", "workers/payments"):
        for file in (CHECKOUT / package).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            calls = re.findall(r"(?:_api|v1|client)\.([a-z_.]+)_async\(", text)
            assert len(calls) == len(re.findall(r"(?<!close)_async\(", text)), f"{file}: calls that are not understood"
            found.update(calls)
    return found


def test_a_buyer_without_arguments_or_a_front_is_told_in_a_line() -> None:
    for arguments, url, ended, said in (
        ([], NOWHERE, 2, "usage: "),
        (["a token"], NOWHERE, 2, "usage: "),
        (["a token", "a-package"], "", 2, "usage: "),
        (["a token", "a-package"], NOWHERE, 1, "fetch failed: "),
    ):
        done = subprocess.run(
            [node.NODE, CHECKOUT / "examples" / "buy.mjs", *arguments],
            env={"MANA_API_URL": url},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (done.returncode, done.stdout) == (ended, "")
        [line] = done.stderr.splitlines()
        assert line.startswith(said)


def test_what_differs_is_told() -> None:
    assert is_as_shown('200 {"id":"0190","at":"2026"}\n', '200 {"id": "…",\n "at": "2…"}')
    assert not is_as_shown('{"id":"0190","name":null}', '{"id": "…"}')
    assert not is_as_shown("anything", None)
    assert is_as_shown("", None)


def test_a_command_that_fails_is_named_by_its_line(tmp_path: Path) -> None:
    guide = "# A\n```sh\ntrue\n```\n\n```sh\necho so\nfalse\n```\n```sh\ntrue\n```\n"
    with pytest.raises(AssertionError, match="line 6 ended with 1:\nso"):
        outputs(blocks_of(guide), tmp_path, {})
