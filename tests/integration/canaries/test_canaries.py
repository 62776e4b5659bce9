"""No secret lies anywhere in the clear (SECURITY.md 44): not in a database, a queue, a log, an answer to somebody else.

Everything of a whole instance is looked at: every row of every table, what servers keep on disk (with what was
deleted since), Redis and every command that it got, every message that passed through the broker, every process's log
at its most talkative, every answer but the one that gave the secret to its user.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.policy import SMTPUTF8
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args

import asyncpg
import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from api.auth.keystore import KeyStore
from api.database import Database
from contracts.mails import MailKind
from contracts.topology import LOGINS
from ops.instance import Instance, private
from tests.integration.api.operators import operate
from tests.integration.api.process import PARTITIONS, front, keeper, relay, until_ready, worker
from tests.integration.api.services import INTROSPECT, TOKEN
from tests.integration.api.users import new_email
from tests.integration.canaries import journey
from tests.integration.canaries.journey import REQUEST, SITE, TRACE, Person
from tests.integration.canaries.places import dump_database, dump_redis, monitored, traced
from tests.integration.canaries.search import search
from tests.integration.canaries.secret import Secret
from tests.integration.canaries.shop import Shop, shop
from tests.integration.canaries.traveller import Traveller
from tests.integration.mail.box import Mailbox, read
from tests.integration.mail.process import mail_worker
from tests.integration.mail.server import receiving
from tests.integration.workers.payments import payments_worker
from tests.integration.workers.running import running, until
from tests.integration.workers.usage import counting

_INSIDE = re.compile(r"select |insert |relation|auth\\.|asyncpg|traceback|\\.py\\b|/home|@", re.IGNORECASE)
_LOGINS = tuple(login.name for login in LOGINS)
OAUTH = tuple(f"POST {path} " for path in (TOKEN, INTROSPECT))
"""Whose errors are those of RFC 6749."""
LOGS_PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "logs.md"
FOLDERS = ("logs", "answers", "tables", "servers")
"""What is searched; mails are for their readers."""


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch) -> Generator[Instance]:
    """Servers of its own, and processes that write down all that they ever do."""
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    with private(workers=0, partitions=PARTITIONS, with_processes=False, name="canaries") as servers:
        yield servers


@pytest.fixture
async def owner(instance: Instance) -> AsyncGenerator[asyncpg.Connection]:
    """The database as its owner sees it."""
    connection = await asyncpg.connect(instance.addresses.database_as("mana_owner"))
    yield connection
    await connection.close()


@asynccontextmanager
async def _travelling(instance: Instance, root: Path, selling: Shop) -> AsyncGenerator[Traveller]:
    """The front, and somebody who asks it."""
    async with front(instance, root / "logs", PUBLIC_URL=SITE, **selling.settings) as process:
        await until_ready(process)
        async with httpx.AsyncClient(base_url=process.url, timeout=40) as http:
            yield Traveller(http, root / "answers", selling.secrets)


async def _new_admin(by: Traveller, instance: Instance) -> Person:
    email = new_email()
    said = await operate(instance, "create_admin", email)
    assert said.status == 0, said.errors
    return Person(email, by.typed("administrator's password", said.output.split()[-1]), device="office-1")


async def _until_all_sent(owner: asyncpg.Connection) -> None:
    async def none_waits() -> bool:
        return await owner.fetchval("SELECT count(*) FROM auth.mails") == 0

    await until(none_waits, "every mail is sent, or came to nothing")


async def _link_of_file(folder: Path, to: str, kind: str) -> str:
    found = list[str]()

    async def arrived() -> bool:
        for file in folder.glob("*.eml"):
            message = message_from_bytes(file.read_bytes(), policy=SMTPUTF8)
            mail = read(message)
            if (mail.to, mail.kind) == (to, kind):
                found.append(mail.link_token)
        return bool(found)

    await until(arrived, f"{kind} for {to} is in {folder}")
    return found[0]


async def _travel(by: Traveller, instance: Instance, root: Path, owner: asyncpg.Connection, selling: Shop) -> Person:
    """Everything that there is to do, with mails by SMTP at first and as files then; at last while tables are away.
    Answers who lived and left."""
    async with (
        relay(instance, root / "logs") as ringing,
        worker(instance, root / "logs"),
        running(instance, root / "logs", "workers.clock"),
        keeper(instance, root / "logs"),
        payments_worker(instance, root / "logs", selling.url, STRIPE_SECRET_KEY=selling.key),
        counting(instance, root / "logs"),
    ):
        async with receiving() as server, mail_worker(instance, root / "logs", SMTP_URL=server.url) as sender:
            box = Mailbox(server, ringing, sender)

            async def link(to: str, kind: str) -> str:
                assert kind in get_args(MailKind)
                return (await box.until(to, cast("MailKind", kind))).link_token

            ada, admin = await journey.register(by), await _new_admin(by, instance)
            await journey.try_wrongly(by, ada)
            await journey.live(by, ada)
            await journey.use_a_script(by, ada)
            await journey.serve(by, ada, owner)
            bought = await selling.buy(by, ada)
            await selling.be_told_wrongly(by)
            await journey.misplace_tokens(by, ada)
            await journey.use_a_browser(by, ada)
            await journey.follow_links(by, ada, link)
            await journey.change_password(by, ada)
            await journey.use_two_factors(by, ada, owner)
            await journey.administer(by, admin, ada)
            await selling.give_back(by, admin, bought)
            await journey.leave(by, ada)
            await _until_all_sent(owner)
        mails = root / "mails"
        async with mail_worker(instance, root / "logs", MAIL_FOLDER=str(mails)):
            bob = await journey.register(by)
            await journey.reset(by, bob, partial(_link_of_file, mails))
            await _until_all_sent(owner)
    await journey.meet_failures(by, bob, owner)
    return ada


def _tells_of_the_inside(answer: str) -> str:
    """The answer, where it is a refusal or a failure that is no problem document, or tells how things are made."""
    head, _, body = answer.partition("\n\n")
    if int(head.split()[2]) < 400:
        return ""
    whole = "content-type: application/problem+json" in head and {"code", "status", "detail"} <= set(json.loads(body))
    whole = whole or (head.startswith(OAUTH) and set(json.loads(body)) == {"error", "error_description"})
    return "" if whole and not _INSIDE.search(body) else answer


def _lines(logs: Path, process: str) -> list[dict[str, Any]]:
    """What processes of this name have written down of commands."""
    lines = [json.loads(line) for log in logs.glob(f"{process}-*.log") for line in log.read_text().splitlines()]
    return [line for line in lines if line.get("idempotency_key") == "canary-1" and line.get("trace_id")]


def _is_found_by_each_id(logs: Path, person: str) -> None:
    """Logs that say nothing hold no secrets either: so a command stands in the front's and in the worker's, and each id
    leads from one to the other."""
    (sent,) = _lines(logs, "api")
    (done,) = _lines(logs, "worker")
    assert (sent["event"], sent["level"], done["event"], done["level"]) == (
        *("command sent", "debug"),
        *("command answered", "debug"),
    )
    assert sent["request_id"] == REQUEST
    shared = ("type", "user_id", "app_id", "idempotency_key", "message_id", "result", "transaction_id", "trace_id")
    assert {name: sent[name] for name in shared} == {name: done[name] for name in shared}
    assert (done["correlation_id"], done["trace_id"]) == (sent["message_id"], TRACE)
    assert (sent["caller_id"], sent["user_id"]) == (person, person)
    documented = set(re.findall(r"`([a-z_]+)`", LOGS_PAGE.read_text()))
    assert sent.keys() | done.keys() <= documented


async def _signing_keys(instance: Instance) -> list[Secret]:
    """The private halves."""
    front_key = base64.b64decode(instance.addresses.secrets.front_key)
    async with Database.connected(instance.addresses.database_as("mana_api"), 1, "test") as database:
        stored = (await KeyStore(database, front_key).load()).keys
    private_halves = [key.signing.private for key in stored if key.signing is not None]
    assert private_halves
    seeds = [half.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()) for half in private_halves]
    return [Secret("signing key", seed.hex(), other=(seed,)) for seed in seeds]


def _own(instance: Instance) -> list[Secret]:
    """What the instance's processes log in with, and what they seal with."""
    kept = instance.addresses.secrets
    own = {"front's key": kept.front_key, "password of Redis": kept.redis, "cookie of RabbitMQ": kept.erlang_cookie}
    own |= {
        "password of postgres": kept.postgres_admin,
        **{f"password of {role}": password for role, password in kept.roles.items()},
    }
    own |= {f"password of {name}": kept.login(name) for name in _LOGINS}
    return [Secret(name, text) for name, text in own.items()]


@pytest.mark.own_servers
async def test_no_secret_lies_anywhere_in_the_clear(
    instance: Instance, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    """[44] [19] [67]: after a journey over every route of the front."""
    for name in FOLDERS:
        (tmp_path / name).mkdir()
    async with (
        traced(instance, tmp_path / "servers" / "rabbitmq"),
        monitored(instance, tmp_path / "servers" / "redis-commands"),
        shop(tmp_path) as selling,
        _travelling(instance, tmp_path, selling) as by,
    ):
        ada = await _travel(by, instance, tmp_path, owner, selling)
        for path in ("/metrics", "/openapi.json"):
            (tmp_path / "servers" / path[1:]).write_bytes((await by.http.get(path)).content)
        document = (await by.http.get("/openapi.json")).json()
    operations = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert operations <= set(by.asked), "a route is left out"
    assert {one for one in operations if not {200, 201} & by.asked[one]} == set(), "a route never did what it is for"

    assert any(500 in statuses for statuses in by.asked.values()), "nothing failed in the middle"
    assert [told for file in (tmp_path / "answers").iterdir() if (told := _tells_of_the_inside(file.read_text()))] == []

    tables = await dump_database(instance, tmp_path / "tables")
    assert {"auth.users", "auth.sessions", "auth.security_events", "credits.transactions"} <= set(tables)
    assert b"checkout.session.completed" in (tmp_path / "tables" / "credits.stripe_events").read_bytes()
    assert (tmp_path / "tables" / "auth.security_events").stat().st_size > 10_000
    assert await dump_redis(instance, tmp_path / "servers" / "redis") > 0
    assert (tmp_path / "servers" / "redis-commands").stat().st_size > 100_000
    passed = (tmp_path / "servers" / "rabbitmq").read_bytes()
    assert all(
        word in passed
        for word in (b"account.open", b"credits.used", b"mailId", b"credits.result", b"credits.purchased")
    )

    _is_found_by_each_id(tmp_path / "logs", ada.id)
    assert search([Secret("somebody's address", ada.email)], [tmp_path / "logs"], tmp_path) == []
    places = [*(tmp_path / name for name in FOLDERS), instance.place.logs, instance.data]
    hits = search([*by.secrets, *await _signing_keys(instance)], places, tmp_path)
    meant = [hit for hit in hits if hit.file.parent.name == "answers" and hit.secret.answer == int(hit.file.name)]
    stray = [f"{hit.secret.name} in {hit.file}" for hit in hits if hit not in meant]
    assert not stray, "\n".join(stray)
    assert {hit.secret for hit in meant} == {one for one in by.secrets if one.answer}, "the search finds what is there"
    own = search(_own(instance), places[:-1], tmp_path)
    assert [f"{hit.secret.name} in {hit.file}" for hit in own] == []
