"""Which process is told what: nobody gets an administrator's address, or a secret that is not its own."""

from __future__ import annotations

import itertools
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from ops.addresses import Addresses
from ops.doors import Doors
from ops.program import Program
from ops.programs import ProcessSettings, Programs, reachable_host
from ops.state import Secrets

ADMINISTRATOR = "postgresql://boss:hunter2@db:5432/ledger"
GIVEN = Addresses(ADMINISTRATOR, "amqp://boss:hunter2@mq/v", "http://mq:15672", "redis://cache", Secrets())
SURROUNDINGS = {
    "DATABASE_URL": ADMINISTRATOR,
    "AMQP_URL": "amqp://boss:hunter2@mq/",
    "REDIS_PASSWORD": "hunter2",
    "REDIS_WAIT_MS": "250",
    "STRIPE_SECRET_KEY": "sk_test_hunter2hunter2",
    "STRIPE_WEBHOOK_SECRET": "whsec_hunter2hunter2",
    "JWT_PRIVATE_KEY": "hunter2 pem",
    "PGPASSWORD": "hunter2",
    "MANA_DATABASE_OWNER_URL": ADMINISTRATOR,
    "SMTP_URL": "smtp://hunter2@mx",
    "CREDITS_DAILY_FREE": "7",
    "LOG_LEVEL": "DEBUG",
}


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Programs:
    for name, value in SURROUNDINGS.items():
        monkeypatch.setenv(name, value)
    return Programs(GIVEN, partitions=16, taken={})


def test_a_worker_gets_its_own_logins_and_no_secret(programs: Programs) -> None:
    env = programs.worker(3).env
    assert env["DATABASE_URL"].startswith("postgresql://mana_worker:")
    assert env["DATABASE_URL"].endswith("@db:5432/ledger")
    assert env["AMQP_URL"].startswith("amqp://mana-worker:")
    assert env["AMQP_URL"].endswith("@mq/v")
    assert (env["MANA_PROCESS_NAME"], env["MANA_PARTITIONS"], env["MANA_ADMIN_LOGINS"]) == ("worker-3", "16", "boss")
    assert (env["CREDITS_DAILY_FREE"], env["LOG_LEVEL"]) == ("7", "DEBUG")
    assert not [name for name, value in env.items() if "hunter2" in value]


def test_a_worker_of_our_own_broker_is_told_that_it_is_one_node(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Programs(replace(GIVEN, own_broker=True), partitions=16, taken={})
    for said in ("false", "", None):
        with monkeypatch.context() as surroundings:
            if said is not None:
                surroundings.setenv("MANA_SINGLE_BROKER_NODE", said)
            assert ours.worker(0).env["MANA_SINGLE_BROKER_NODE"] == "true"
            assert ours.clock().env["MANA_SINGLE_BROKER_NODE"] == "true"


def test_a_worker_of_a_given_broker_is_told_what_its_owner_says(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "MANA_SINGLE_BROKER_NODE" not in programs.worker(0).env
    monkeypatch.setenv("MANA_SINGLE_BROKER_NODE", "true")
    assert programs.worker(0).env["MANA_SINGLE_BROKER_NODE"] == "true"


def test_the_relay_gets_no_secret_either(programs: Programs) -> None:
    env = programs.relay().env
    assert env["DATABASE_URL"].startswith("postgresql://mana_relay:")
    assert not [name for name, value in env.items() if "hunter2" in value]


def test_who_makes_logins_is_the_brokers_administrator_and_reads_little_of_the_database(programs: Programs) -> None:
    env = programs.apps().env
    assert env["DATABASE_URL"].startswith("postgresql://mana_apps:")
    assert (env["AMQP_URL"], env["RABBITMQ_MANAGEMENT_URL"]) == (GIVEN.amqp, GIVEN.management)
    assert [name for name, value in env.items() if "hunter2" in value] == ["AMQP_URL"]


def test_the_front_gets_the_secrets_that_are_its_own(programs: Programs) -> None:
    env = programs.api(20_000).env
    assert env["DATABASE_URL"].startswith("postgresql://mana_api:")
    assert env["AMQP_URL"].startswith("amqp://mana-front:")
    assert {name for name, value in env.items() if "hunter2" in value} == {
        "STRIPE_SECRET_KEY",
        "STRIPE_WEBHOOK_SECRET",
        "JWT_PRIVATE_KEY",
    }
    assert env["REDIS_WAIT_MS"] == "250"


def test_who_buys_at_a_stand_in_is_told_where_it_is_and_nothing_of_stripes_own(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_hunter2hunter2")
    own = stripe_settings(programs.api(20_000))
    assert own == {name: value for name, value in os.environ.items() if name.startswith("STRIPE_")}
    buying = Programs(GIVEN, partitions=16, taken={}, with_stand_in=True)
    told = stripe_settings(buying.api(20_000))
    stand_in = buying.stripe()
    assert told == {
        "STRIPE_SECRET_KEY": GIVEN.secrets.stripe_key,
        "STRIPE_WEBHOOK_SECRET": GIVEN.secrets.stripe_webhook_secret,
        "STRIPE_API_URL": stand_in.url,
    }


@pytest.mark.usefixtures("programs")
def test_the_stand_in_takes_one_key_and_tells_the_front() -> None:
    buying = Programs(GIVEN, partitions=16, taken={"stripe": 12_345}, with_stand_in=True)
    front, stand_in = buying.api(20_000), buying.stripe()
    said = dict(itertools.pairwise(stand_in.argv))
    assert said["--port"] == "12345"
    assert said["--key"] == GIVEN.secrets.stripe_key
    assert said["--endpoint"] == f"{front.url}/api/v1/webhooks/stripe"
    assert said["--endpoint-secret"] == GIVEN.secrets.stripe_webhook_secret
    assert not [name for name, value in stand_in.env.items() if "hunter2" in value]


def test_nobody_reaches_the_stand_in_from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANA_BIND_HOST", "0.0.0.0")
    doors = Doors("0.0.0.0")
    buying = Programs(GIVEN, 16, {}, doors, with_stand_in=True)
    hosts = {program.name: _host(program) for program in (buying.api(20_000), buying.stripe())}
    for name in hosts:
        doors.close(name)
    assert hosts == {"api": "0.0.0.0", "stripe": "127.0.0.1"}


def _host(program: Program) -> str:
    with socket.socket(fileno=os.dup(program.descriptors[0])) as listening:
        return listening.getsockname()[0]


def stripe_settings(program: Program) -> dict[str, str]:
    """What it is told of Stripe."""
    return {name: value for name, value in program.env.items() if name.startswith("STRIPE_")}


def test_the_mail_worker_gets_its_own_logins_and_the_mail_servers(programs: Programs) -> None:
    programs.api(20_000)
    env = programs.mail(Path("/mails")).env
    assert env["DATABASE_URL"].startswith("postgresql://mana_mail:")
    assert env["AMQP_URL"].startswith("amqp://mana-mail:")
    assert {name for name, value in env.items() if "hunter2" in value} == {"SMTP_URL"}
    assert "MAIL_FOLDER" not in env


def test_who_counts_uses_is_told_where_and_no_more(programs: Programs) -> None:
    env = programs.usage().env
    assert env["DATABASE_URL"].startswith("postgresql://mana_usage:")
    assert env["AMQP_URL"].startswith("amqp://mana-usage:")
    assert [name for name, value in env.items() if "hunter2" in value] == []


def test_the_payments_worker_may_ask_stripe_and_cannot_sign_for_it(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIPE_API_URL", "http://127.0.0.1:12111")
    env = programs.payments().env
    assert env["DATABASE_URL"].startswith("postgresql://mana_payments:")
    assert env["AMQP_URL"].startswith("amqp://mana-payments:")
    assert {name for name, value in env.items() if "hunter2" in value} == {"STRIPE_SECRET_KEY"}
    assert env["STRIPE_API_URL"] == "http://127.0.0.1:12111"
    buying = Programs(GIVEN, partitions=16, taken={"stripe": 12_345}, with_stand_in=True)
    buying.api(20_000)
    assert stripe_settings(buying.payments()) == {
        "STRIPE_SECRET_KEY": GIVEN.secrets.stripe_key,
        "STRIPE_API_URL": buying.stripe().url,
    }


@pytest.mark.parametrize("name", ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"])
def test_stripe_is_heard_where_there_is_a_key_or_an_endpoint(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for known in ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"):
        monkeypatch.delenv(known, raising=False)
    programs = Programs(GIVEN, partitions=16, taken={})
    assert not programs.hears_stripe()
    assert Programs(GIVEN, partitions=16, taken={}, with_stand_in=True).hears_stripe()
    monkeypatch.setenv(name, "said")
    assert programs.hears_stripe()


def test_an_operators_program_acts_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    env = ProcessSettings(GIVEN, partitions=16).operator("mana_owner")
    assert env["DATABASE_URL"].startswith("postgresql://mana_owner:")
    assert env["MANA_AMQP_URL"] == GIVEN.amqp
    assert env["MANA_SECRET_KEY"] == GIVEN.secrets.front_key


def test_mails_without_a_server_are_written_to_the_instances_folder(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.api(20_000)
    monkeypatch.delenv("SMTP_URL")
    assert programs.mail(Path("/mails")).env["MAIL_FOLDER"] == "/mails"
    monkeypatch.setenv("MAIL_FOLDER", "/elsewhere")
    assert programs.mail(Path("/mails")).env["MAIL_FOLDER"] == "/elsewhere"


def test_one_developer_may_be_many_users(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    def registrations() -> str | None:
        return programs.api(20_000).env.get("RATE_LIMIT_REGISTER")

    assert registrations() == "100000/1h"
    monkeypatch.setenv("MANA_ENVIRONMENT", "production")
    assert registrations() is None
    monkeypatch.setenv("RATE_LIMIT_REGISTER", "3/1h")
    assert registrations() == "3/1h"
    monkeypatch.delenv("MANA_ENVIRONMENT")
    assert registrations() == "3/1h"


def test_links_lead_to_where_the_front_really_is(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    front = programs.api(20_000)
    assert front.env["PUBLIC_URL"] == front.url == programs.mail(Path("/mails")).env["PUBLIC_URL"]
    monkeypatch.setenv("PUBLIC_URL", "https://mana.example")
    assert programs.api(20_000).env["PUBLIC_URL"] == "https://mana.example"


def test_what_nobody_calls_production_is_none(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    assert programs.api(20_000).env["MANA_ENVIRONMENT"] == "development"
    monkeypatch.setenv("MANA_ENVIRONMENT", "production")
    assert programs.api(20_000).env["MANA_ENVIRONMENT"] == "production"


def test_every_process_has_a_port_of_its_own(programs: Programs) -> None:
    ours = [programs.worker(0), programs.worker(1), programs.clock(), programs.relay(), programs.api(20_000)]
    ours += [programs.mail(Path("/mails")), programs.payments(), programs.apps(), programs.usage()]
    assert len({program.url for program in ours}) == len(ours)


def test_a_process_is_asked_where_it_listens() -> None:
    for everywhere in (None, "", "0.0.0.0", "::"):
        assert reachable_host(everywhere) == "127.0.0.1"
    assert reachable_host("10.0.0.5") == "10.0.0.5"
    assert reachable_host("::1") == "[::1]"
