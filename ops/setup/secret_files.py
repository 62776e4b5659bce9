"""Secrets as files: one for each process and each server of docker-compose.yml, which gives each its own alone.

A process's file is JSON, which `contracts.settings_file` reads: no shell reads it, so no sign in it means anything.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from contracts.topology import LOGINS
from ops import alerting, broker_logins, layout, private_file, settings, state
from ops.errors import LauncherError
from ops.programs import ProcessSettings
from ops.servers import pgbouncer
from ops.settings import Settings
from ops.setup import composed
from ops.state import Secrets, State

_READABLE = 0o444
"""Containers' users read them through mounts of single files; the folder is what keeps others out."""
_CLOSED = 0o700
OWN = "own.json"
"""Where whoever runs the service writes the secrets that others gave."""
_OWN_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "api": ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "JWT_PRIVATE_KEY", "JWT_PUBLIC_KEY"),
        "mail": ("SMTP_URL",),
        "payments": ("STRIPE_SECRET_KEY",),
    }
)
"""Which process is told which of them."""
_ALERTS = ("ALERTS_EMAIL_TO", "ALERTS_EMAIL_FROM", "ALERTS_SMTP_URL", "ALERTS_WEBHOOK_URL", "SMTP_URL")
"""Who is told of alerts, and how."""
_NONE_OF_OWN: Mapping[str, str] = MappingProxyType(
    dict.fromkeys((*(name for names in _OWN_NAMES.values() for name in names), *_ALERTS), "")
)


def write(folder: Path, partitions: int, chosen: Settings) -> str | None:
    """Make the folder hold a file for each; what it remembers stays. Answers what whoever does it should know.

    Raises LauncherError where what is remembered is damaged, or what was written by hand is wrong.
    """
    folder.mkdir(mode=_CLOSED, parents=True, exist_ok=True)
    folder.chmod(_CLOSED)
    remembered = state.load(folder / "state.json") or State(data="")
    if not (folder / OWN).exists():
        private_file.write(folder / OWN, _text(_NONE_OF_OWN))
    own = _own(folder / OWN)
    made = files(remembered, partitions, chosen, own)
    # First what the others are made from: broken off behind it, the next run makes the same ones.
    private_file.write(folder / "state.json", state.text(remembered), _READABLE)
    for name, text in made.items():
        private_file.write(folder / name, text, _READABLE)
    return alerting.untold(_alerting(own))


def files(
    remembered: State, partitions: int, chosen: Settings, own: Mapping[str, str] = _NONE_OF_OWN
) -> dict[str, str]:
    """Each file's text by its name; `own` is what others gave. Passwords that are asked for the first time are made in
    `remembered`."""
    secrets = remembered.secrets
    plan = layout.lay_out(remembered, composed.servers(secrets, chosen))
    pooled = plan.addresses if chosen.database_url else replace(plan.addresses, pooler=composed.POOLER)
    told = ProcessSettings(plan.addresses, partitions)
    processes = {
        "api": ProcessSettings(pooled, partitions).api(),
        "relay": told.relay(),
        "mail": told.mail(),
        "payments": told.payments(),
        "apps": told.apps(),
        "usage": told.usage(),
        "worker": told.worker(),
    }
    return {
        **{
            f"{name}.json": _text({**values, **{key: own[key] for key in _OWN_NAMES.get(name, ()) if own[key]}})
            for name, values in processes.items()
        },
        "postgres_password": secrets.postgres_admin,
        "pgbouncer_userlist": pgbouncer.userlist({role: secrets.roles[role] for role in layout.POOLED_ROLES}),
        "rabbitmq_logins.json": _logins(secrets),
        "redis_password": secrets.redis,
        "redis_users": f"user default on #{hashlib.sha256(secrets.redis.encode()).hexdigest()} ~* &* +@all\n",
        "grafana_password": secrets.grafana,
        "alertmanager.yml": alerting.text(_alerting(own)),
    }


def _own(path: Path) -> dict[str, str]:
    try:
        told = json.loads(path.read_bytes())
    except ValueError as error:
        raise LauncherError(f"{path} is no JSON ({error}).") from error
    if not isinstance(told, dict) or not all(isinstance(value, str) for value in told.values()):
        raise LauncherError(f"{path} holds something else than names and texts.")
    if unknown := sorted(told.keys() - _NONE_OF_OWN.keys()):
        raise LauncherError(f"{path} holds {unknown[0]}: known are {', '.join(_NONE_OF_OWN)}.")
    own = {**_NONE_OF_OWN, **told}
    # MAIL_FROM, which stands in for it elsewhere, is in .env, which is not read here.
    if own["ALERTS_EMAIL_TO"] and not own["ALERTS_EMAIL_FROM"]:
        raise LauncherError(
            f"{path} holds ALERTS_EMAIL_TO without ALERTS_EMAIL_FROM: say from whom alerts' mails come."
        )
    return own


def _alerting(own: Mapping[str, str]) -> Settings:
    return settings.read(**{name.lower(): own[name] for name in _ALERTS if own[name]})


def _text(values: Mapping[str, str]) -> str:
    return json.dumps(dict(values), indent=1) + "\n"


def _logins(secrets: Secrets) -> str:
    """Our logins at the broker as its definitions have them, the administrator's too, with hashes for passwords."""
    users = [
        {
            "name": login.name,
            "password_hash": broker_logins.password_hash(secrets.login(login.name)),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": ",".join(login.tags),
        }
        for login in LOGINS
    ]
    permissions = [
        {"user": login.name, "vhost": "/", "configure": login.configure, "write": login.write, "read": login.read}
        for login in LOGINS
    ]
    return json.dumps({"users": users, "permissions": permissions}, indent=1) + "\n"
