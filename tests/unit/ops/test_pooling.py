"""PgBouncer's files, and who is told to go through it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ops import layout, scram
from ops.addresses import Addresses
from ops.layout import Pooling
from ops.programs import ProcessSettings
from ops.servers import pgbouncer
from ops.settings import Settings
from ops.state import Secrets, State

GIVEN = Addresses("postgresql://boss:x@db:5432/ledger", "amqp://boss:x@mq/", "http://mq", "redis://cache", Secrets())


def test_a_record_is_always_the_same_and_of_one_role_alone() -> None:
    assert scram.record("mana_api", "pencil") == scram.record("mana_api", "pencil")
    assert scram.record("mana_api", "pencil") != scram.record("mana_mail", "pencil")


def test_the_pooler_holds_no_password() -> None:
    told = pgbouncer.userlist({"mana_api": "hunter2"})
    assert told.startswith('"mana_api" "SCRAM-SHA-256$')
    assert "hunter2" not in told


def test_only_the_front_goes_through_it_and_past_it_for_announcements() -> None:
    told = ProcessSettings(replace(GIVEN, pooler="127.0.0.1:6432"), partitions=1)
    password = GIVEN.secrets.roles["mana_api"]
    front = told.api()
    assert front["DATABASE_URL"] == f"postgresql://mana_api:{password}@127.0.0.1:6432/ledger"
    assert front["DATABASE_DIRECT_URL"] == f"postgresql://mana_api:{password}@db:5432/ledger"
    assert front["DATABASE_STATEMENT_CACHE"] == "0"
    for other in (told.worker(), told.relay(), told.mail(), told.payments(), told.usage(), told.apps()):
        assert "@db:5432/" in other["DATABASE_URL"]
        assert "DATABASE_DIRECT_URL" not in other


def test_without_a_pooler_nothing_of_it_is_told() -> None:
    assert not {"DATABASE_DIRECT_URL", "DATABASE_STATEMENT_CACHE"} & set(ProcessSettings(GIVEN, partitions=1).api())


@pytest.mark.parametrize("pooling", [None, Pooling()])
def test_a_pooler_is_laid_out_where_one_is_wanted(pooling: Pooling | None, tmp_path: Path) -> None:
    plan = layout.lay_out(State(data=str(tmp_path)), Settings(), pooling=pooling)
    assert (plan.pgbouncer is not None) == (pooling is not None)
    assert (plan.addresses.pooler is not None) == (pooling is not None)


def test_tls_to_a_given_server_is_the_poolers_too() -> None:
    url = "postgresql://boss:x@db:5432/mana?sslmode=verify-full&sslrootcert=/etc/ca.pem"
    given = pgbouncer.PgBouncer(Path("/nowhere"), 6432, url, {"mana_api": "pencil"})
    configuration = given.configuration()
    assert "server_tls_sslmode = verify-full\nserver_tls_ca_file = /etc/ca.pem\n" in configuration
    assert "mana = host=db port=5432\n" in configuration
    assert given.url("mana_api") == "postgresql://mana_api:pencil@127.0.0.1:6432/mana"
