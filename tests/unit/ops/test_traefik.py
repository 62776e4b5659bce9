"""Traefik's files: their keys are the pinned version's, and they lead where they should."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.auth.me import sending
from api.serving import DRAIN_SECONDS_MAX
from ops.place import CHECKOUT
from tests.composed import SERVICES
from tests.unit.ops.traefik_options import DYNAMIC, STATIC, VERSION, options_of

FILES = {
    "traefik.yml": STATIC,
    "dynamic/mana.yml": DYNAMIC,
    "dev/traefik.yml": STATIC,
    "dev/doors.yml": DYNAMIC,
}


def text_of(path: str) -> str:
    return Path(CHECKOUT, "ops", "traefik", path).read_text(encoding="utf-8")


def read(path: str) -> dict[str, Any]:
    """The file as Traefik reads it, the variable's own name in the place of its value."""
    return yaml.safe_load(re.sub(r"\{\{ env \"(\w+)\" \}\}", r"\1", text_of(path)))


@pytest.mark.parametrize("path", FILES)
def test_the_pinned_version_knows_every_option(path: str) -> None:
    """One that it does not know ends it at its start, again and again."""
    assert {SERVICES[door]["image"] for door in ("traefik", "doors")} == {f"traefik:{VERSION}"}
    used = options_of(read(path))
    assert len(used) > 5
    assert used <= FILES[path]


def test_every_file_of_traefiks_is_held_to_its_options() -> None:
    there = {
        str(file.relative_to(CHECKOUT / "ops" / "traefik")) for file in (CHECKOUT / "ops" / "traefik").rglob("*.*")
    }
    assert there == set(FILES)


def test_no_query_string_and_no_header_is_logged() -> None:
    """They can hold tokens, and the links of mails."""
    fields = read("traefik.yml")["accessLog"]["fields"]
    assert fields == {"queryParameters": {"defaultMode": "drop"}, "headers": {"defaultMode": "drop"}}


def test_an_export_is_sent_while_it_is_read_and_for_as_long() -> None:
    assert not [one for one in read("dynamic/mana.yml")["http"]["middlewares"].values() if "buffering" in one]
    timeouts = read("traefik.yml")["entryPoints"]["websecure"]["transport"]["respondingTimeouts"]
    assert int(timeouts["writeTimeout"].removesuffix("s")) > sending.SECONDS_MAX


def test_stripe_is_held_up_by_no_limit() -> None:
    http = read("dynamic/mana.yml")["http"]
    front, webhooks = http["routers"]["front"], http["routers"]["webhooks"]
    assert webhooks["rule"] == "Host(`MANA_DOMAIN`) && Path(`/api/v1/webhooks/stripe`)"
    assert webhooks["priority"] > len(front["rule"]), "without a priority of its own, a router has its rule's length"
    assert [name for name in front["middlewares"] if name != "rate"] == webhooks["middlewares"]
    assert webhooks["service"] == front["service"]


def test_a_front_serves_on_until_traefik_has_turned_away() -> None:
    """An answer may be a whole interval old, and the other front is asked first."""
    check = read("dynamic/mana.yml")["http"]["services"]["front"]["loadBalancer"]["healthCheck"]
    asked_every, waited = (int(check[name].removesuffix("s")) for name in ("interval", "timeout"))
    for name in ("api-1", "api-2"):
        lingers = int(SERVICES[name]["environment"]["STOP_LINGER_SECONDS"])
        assert lingers > asked_every + 2 * waited
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > lingers + DRAIN_SECONDS_MAX + 15


def test_what_no_front_was_sent_is_sent_to_the_other() -> None:
    """Innermost, so that limits count a request once; by no status, so that nothing is done twice."""
    http = read("dynamic/mana.yml")["http"]
    assert http["routers"]["front"]["middlewares"][-1] == "retry"
    assert http["middlewares"]["retry"] == {"retry": {"attempts": 3, "initialInterval": "100ms"}}


def test_traefik_leads_where_it_should() -> None:
    door = read("traefik.yml")
    points = door["entryPoints"]
    assert points["web"]["http"]["redirections"]["entryPoint"] == {
        "to": "websecure",
        "scheme": "https",
        "permanent": True,
    }
    assert door["providers"] == {"file": {"directory": "/etc/traefik/dynamic", "watch": False}}
    led = read("dynamic/mana.yml")
    http, tcp = led["http"], led["tcp"]
    front = http["routers"]["front"]
    assert front["rule"] == "Host(`MANA_DOMAIN`) && !PathPrefix(`/metrics`)"
    assert set(front["middlewares"]) == set(http["middlewares"])
    assert http["middlewares"]["headers"]["headers"]["stsSeconds"] >= 31536000
    assert http["middlewares"]["rate"]["rateLimit"]["average"] > 0
    assert {point for router in http["routers"].values() for point in router["entryPoints"]} == {"websecure", "inside"}
    assert tcp["routers"]["amqps"]["tls"]["certResolver"] in door["certificatesResolvers"]
    assert points["websecure"]["http"]["tls"]["certResolver"] in door["certificatesResolvers"]
    assert led["tls"]["options"][points["websecure"]["http"]["tls"]["options"]]["minVersion"] == "VersionTLS12"
    published = {int(port.split(":")[-1]) for port in SERVICES["traefik"]["ports"]}
    assert published == {int(points[name]["address"].strip(":")) for name in ("web", "websecure", "amqps", "inside")}
    hosts = set(re.findall(r"(?:http://|address: \")([a-z0-9-]+):", text_of("dynamic/mana.yml")))
    assert hosts == {"api-1", "api-2", "grafana", "rabbitmq"}


def test_the_doors_of_development_lead_to_what_is_there() -> None:
    doors = read("dev/traefik.yml")
    led = text_of("dev/doors.yml")
    assert set(re.findall(r"(?:http://|address: \")([a-z0-9-]+):", led)) <= set(SERVICES)
    published = {int(port.split(":")[-1]) for port in SERVICES["doors"]["ports"]}
    open_to_us = set(doors["entryPoints"]) - {"ping", "metrics"}
    assert published == {int(doors["entryPoints"][name]["address"].strip(":")) for name in open_to_us}
    assert set(re.findall(r"entryPoints: \[(\w+)\]", led)) == open_to_us


def test_one_or_the_other_is_whom_prometheus_asks() -> None:
    """It misses `traefik` where nobody has that name."""
    assert SERVICES["doors"]["networks"]["inside"] == {"aliases": ["traefik"]}
    for path in ("traefik.yml", "dev/traefik.yml"):
        told = read(path)
        assert told["entryPoints"][told["metrics"]["prometheus"]["entryPoint"]] == {"address": ":8082"}
