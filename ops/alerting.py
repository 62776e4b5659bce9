"""Who is told of alerts: our Alertmanager's configuration with the receivers of the settings put in."""

from pathlib import Path
from typing import Any

import yaml

from ops.place import CHECKOUT
from ops.settings import Settings
from workers.mail.smtp import SmtpServer

FILE: Path = CHECKOUT / "ops" / "alertmanager" / "alertmanager.yml"
_PEOPLE = "people"


def configuration(settings: Settings) -> dict[str, Any]:
    """Whom nobody named are not told: then alerts are there to be looked at."""
    told: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    (people,) = [receiver for receiver in told["receivers"] if receiver["name"] == _PEOPLE]
    if settings.alerts_email_to and settings.alerts_smtp_url:
        people["email_configs"] = [_mail(settings.alerts_email_to, settings.alerts_smtp_url, settings)]
    if settings.alerts_webhook_url:
        people["webhook_configs"] = [{"url": settings.alerts_webhook_url, "send_resolved": True}]
    return told


def _mail(to: str, url: str, settings: Settings) -> dict[str, Any]:
    server = SmtpServer.parse(url, development=False)
    login = {"auth_username": server.login, "auth_password": server.password or ""} if server.login else {}
    return {
        "to": to,
        "from": settings.alerts_email_from,
        "smarthost": f"[{server.host}]:{server.port}" if ":" in server.host else f"{server.host}:{server.port}",
        # At port 465 Alertmanager speaks TLS from the first byte, and would ask for STARTTLS within it besides.
        "require_tls": server.encryption == "starttls",
        "send_resolved": True,
        **login,
    }


def text(settings: Settings) -> str:
    """The configuration's file."""
    return yaml.safe_dump(configuration(settings), sort_keys=False)


def untold(settings: Settings) -> str | None:
    """What to say where nobody is told of alerts; None where somebody is."""
    if settings.alerts_email_to or settings.alerts_webhook_url:
        return None
    return "Nobody is told of alerts: ALERTS_EMAIL_TO or ALERTS_WEBHOOK_URL says who is (docs/operations/watch.md)."
