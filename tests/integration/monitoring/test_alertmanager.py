"""Who is told of which alert: our configuration, as the real Alertmanager takes it, and whom it then tells."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from ops import alerting, ports
from ops.identity import Identity
from ops.servers.alertmanager import Alertmanager
from ops.settings import Settings
from tests.integration.mail.server import receiving
from tests.integration.monitoring.conftest import Tool
from tests.integration.monitoring.hook import hearing, make_impatient
from tests.integration.monitoring.ruled import alerts
from tests.integration.running import served

GRAVITY = ("info", "warning", "critical")
TOLD = {
    "nobody": {},
    "people by mail": {
        "ALERTS_EMAIL_TO": "oncall@example.com, Ada <ada@example.com>",
        "SMTP_URL": "smtps://mana:p%40ss@mail.example.com",
        "MAIL_FROM": "Mana <mana@example.com>",
    },
    "a program": {"ALERTS_WEBHOOK_URL": "https://hooks.example.com/secret"},
}


def settings_of(given: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return Settings()


def hidden() -> list[tuple[str, str]]:
    """Each cause with each alert that it hides, by their names."""
    pairs = list[tuple[str, str]]()
    for rule in yaml.safe_load(alerting.FILE.read_text(encoding="utf-8"))["inhibit_rules"]:
        causes, effects = (_names(rule[f"{side}_matchers"]) for side in ("source", "target"))
        pairs += [(cause, effect) for cause in causes for effect in effects]
    return pairs


def _names(matchers: list[str]) -> list[str]:
    (by_name,) = [matcher for matcher in matchers if matcher.startswith("alertname")]
    return by_name.partition("=")[2].lstrip("~").strip('"').split("|")


@pytest.mark.parametrize("who", TOLD)
def test_the_configuration_is_sound(who: str, amtool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(TOLD[who], monkeypatch)
    file = tmp_path / "alertmanager.yml"
    file.write_text(alerting.text(settings))
    assert "SUCCESS" in amtool("check-config", str(file))
    ways = {severity: amtool("config", "routes", "test", f"--config.file={file}", f"severity={severity}").strip()
            for severity in GRAVITY}  # fmt: skip
    assert ways == {"critical": "people", "warning": "people", "info": "nobody"}
    assert (alerting.untold(settings) is None) == (who != "nobody")


def test_a_cause_hides_what_is_there_and_is_no_less_grave_than_that() -> None:
    """And nothing is hidden by what it hides itself."""
    known = {name: alert["labels"]["severity"] for name, alert in alerts().items()}
    pairs = hidden()
    assert pairs
    for cause, effect in pairs:
        assert GRAVITY.index(known[cause]) >= GRAVITY.index(known[effect]), (cause, effect)
    assert not {pair for pair in pairs if pair[::-1] in pairs and pair[0] != pair[1]}


def hides(cause: Mapping[str, str], effect: Mapping[str, str]) -> bool:
    rules = yaml.safe_load(alerting.FILE.read_text(encoding="utf-8"))["inhibit_rules"]
    return any(
        _holds(rule["source_matchers"], cause) and _holds(rule["target_matchers"], effect) and "equal" not in rule
        for rule in rules
    )


def _holds(matchers: list[str], labels: Mapping[str, str]) -> bool:
    for matcher in matchers:
        name, operator, value = re.fullmatch(r'(\w+)(=~?)"(.*)"', matcher).groups()  # pyright: ignore[reportOptionalMemberAccess]
        pattern = value if operator == "=~" else re.escape(value)
        if not re.fullmatch(pattern, labels.get(name, "")):
            return False
    return True


@pytest.mark.parametrize(
    ("cause", "effect", "follows"),
    [
        *(
            ("FrontWithoutBroker front", effect, False)
            for effect in ("FrontErrors", "CommandsUnanswered", "OutboxStuck")
        ),
        *(("FrontWithoutBroker relay", effect, False) for effect in ("FrontErrors", "StripeWebhooksNotQueued")),
        *(("FrontWithoutBroker relay", effect, True) for effect in ("OutboxStuck", "MailBacklog")),
        *(
            ("ProcessGone rabbitmq", effect, False)
            for effect in ("PartitionWithoutOwner", "KeptRefused", "OutboxStuck")
        ),
        ("ProcessGone rabbitmq", "ProcessGone rabbitmq-queues", True),
        ("ProcessGone rabbitmq", "ProcessGone front", False),
        *(("BrokerAlarm", effect, True) for effect in ("FrontWithoutBroker front", "KeptRefused", "OutboxStuck")),
        ("NoLedgerWorker", "QueueWithoutConsumers  credits.commands.7", True),
        ("NoLedgerWorker", "QueueWithoutConsumers  stripe.events", False),
        ("ProcessGone usage", "UsageNotCounted", True),
        ("ProcessGone worker", "UsageNotCounted", False),
    ],
)
def test_what_is_gone_in_part_hides_nothing_of_the_rest(cause: str, effect: str, follows: bool) -> None:
    """Each as its name, its job, its queue."""
    names: list[str] = ["alertname", "job", "queue"]
    causing, following = (dict(zip(names, words.split(" "), strict=False)) for words in (cause, effect))
    assert hides(causing, following) == follows


async def test_people_are_told_by_mail_and_programs_by_http_but_not_of_what_follows(
    amtool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a real Alertmanager, without its patience: a cause, and another alert that it explains."""
    async with receiving() as mail:
        with hearing() as hook:
            given = {"ALERTS_EMAIL_TO": "oncall@example.com", "ALERTS_SMTP_URL": mail.url,
                     "ALERTS_WEBHOOK_URL": hook.url}  # fmt: skip
            settings = settings_of(given, monkeypatch)
            server = Alertmanager(tmp_path, ports.choose(None, ()), settings)
            program = replace(await server.prepare(), identity=Identity())
            make_impatient(tmp_path / "alertmanager.yml")
            async with served(program), httpx.AsyncClient(base_url=server.url, trust_env=False) as asked:
                await _fire(asked, NoLedgerWorker="critical", CommandsUnanswered="critical", MailBacklog="warning")
                async with asyncio.timeout(20):
                    while not (hook.told("MailBacklog") and hook.told("NoLedgerWorker") and len(mail.received) > 1):
                        await asyncio.sleep(0.05)
                alerts = (await asked.get("/api/v2/alerts")).json()
    assert {alert["labels"]["alertname"] for alert in alerts if alert["status"]["inhibitedBy"]} == {
        "CommandsUnanswered"
    }
    assert hook.told("CommandsUnanswered") == []
    assert sorted(str(one["Subject"]).split()[1] for one in mail.received) == ["MailBacklog", "NoLedgerWorker"]
    assert mail.recipients == [["oncall@example.com"]] * 2
    assert "what it is about" in mail.received[0].as_string()


async def _fire(asked: httpx.AsyncClient, **alerts: str) -> None:
    body: list[dict[str, Any]] = [
        {"labels": {"alertname": name, "severity": severity}, "annotations": {"summary": "what it is about"}}
        for name, severity in alerts.items()
    ]
    (await asked.post("/api/v2/alerts", json=body)).raise_for_status()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ALERTS_EMAIL_TO": "oncall@example.com"}, "needs a mail server"),
        ({"ALERTS_EMAIL_TO": "oncall", "SMTP_URL": "smtp://mail"}, "no e-mail address"),
        ({"ALERTS_EMAIL_TO": "a@b", "SMTP_URL": "smtp://mail?starttls=no"}, "unencrypted"),
        ({"ALERTS_EMAIL_TO": "a@b", "SMTP_URL": "smtps://mail:2465"}, "port 465 alone"),
        ({"ALERTS_WEBHOOK_URL": "hooks.example.com"}, "must begin with http:// or https://"),
    ],
)
def test_receivers_that_cannot_be_told_are_refused(
    given: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=said):
        settings_of(given, monkeypatch)
