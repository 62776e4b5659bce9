"""Secrets as files: one for each process and each server of docker-compose.yml, which gives each its own alone."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from contracts.topology import LOGINS
from ops import broker_logins, layout, private_file, state
from ops.programs import ProcessSettings
from ops.servers import pgbouncer
from ops.settings import Settings
from ops.setup import composed
from ops.state import Secrets, State

_READABLE = 0o444
"""Containers' users read them through mounts of single files; the folder is what keeps others out."""
_CLOSED = 0o700


def write(folder: Path, partitions: int, chosen: Settings) -> None:
    """Make the folder hold a file for each; what it remembers stays. Raises LauncherError where that is damaged."""
    folder.mkdir(mode=_CLOSED, parents=True, exist_ok=True)
    folder.chmod(_CLOSED)
    remembered = state.load(folder / "state.json") or State(data="")
    made = files(remembered, partitions, chosen)
    # First what the others are made from: broken off behind it, the next run makes the same ones.
    private_file.write(folder / "state.json", state.text(remembered), _READABLE)
    for name, text in made.items():
        private_file.write(folder / name, text, _READABLE)


def files(remembered: State, partitions: int, chosen: Settings) -> dict[str, str]:
    """Each file's text by its name. Passwords that are asked for the first time are made in `remembered`."""
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
        **{f"{name}.env": _lines(values) for name, values in processes.items()},
        "postgres_password": secrets.postgres_admin,
        "pgbouncer_userlist": pgbouncer.userlist({role: secrets.roles[role] for role in layout.POOLED_ROLES}),
        "rabbitmq_logins.json": _logins(secrets),
        "redis_password": secrets.redis,
        "redis_users": f"user default on #{hashlib.sha256(secrets.redis.encode()).hexdigest()} ~* &* +@all\n",
        "grafana_password": secrets.grafana,
    }


def _lines(values: dict[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())


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
