"""What a figure was measured on: a rate without it says nothing."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx

_CHECKOUT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Machine:
    """The machine and the versions on it; ``commit`` is the code's, with ``+`` where it had changes."""

    cpu: str
    cores: int
    memory_gib: int
    kernel: str
    python: str
    postgresql: str
    rabbitmq: str
    erlang: str
    durability: dict[str, str]
    commit: str


async def look(env: Mapping[str, str]) -> Machine:
    """Looks at this machine and asks the servers of an instance, whose public addresses ``env`` holds."""
    version, durability = await _postgres(env["MANA_DATABASE_READONLY_URL"])
    broker = await _rabbitmq(env["MANA_AMQP_URL"], env["MANA_RABBITMQ_MANAGEMENT_URL"])
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(memory / 2**30),
        kernel=platform.release(),
        python=platform.python_version(),
        postgresql=version,
        rabbitmq=str(broker["rabbitmq_version"]),
        erlang=str(broker["erlang_version"]),
        durability=durability,
        commit=commit(),
    )


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


async def _postgres(url: str) -> tuple[str, dict[str, str]]:
    connection = await asyncpg.connect(url)
    try:
        names = ("fsync", "full_page_writes", "synchronous_commit")
        durability = {name: str(await connection.fetchval("SELECT current_setting($1)", name)) for name in names}
        return str(await connection.fetchval("SHOW server_version")), durability
    finally:
        await connection.close()


async def _rabbitmq(amqp_url: str, management_url: str) -> dict[str, object]:
    login = urlsplit(amqp_url)
    async with httpx.AsyncClient(auth=(login.username or "", login.password or ""), trust_env=False) as client:
        response = await client.get(f"{management_url}/api/overview")
        response.raise_for_status()
        return response.json()


def commit() -> str:
    """The checkout's commit, with ``+`` where it has changes; those of kept results change no measurement."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=_CHECKOUT, capture_output=True, text=True, check=False
        ).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!bench/results")
    return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
