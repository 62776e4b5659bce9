"""Every service of docker-compose.yml that can run here, at once: its command, files, secrets and health check."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from ops.program import Program
from ops.programs import run_environment
from tests.composed import OURS, SERVICES, filled
from tests.integration.api.users import BASE, sign_up
from tests.integration.ops.composing import Composed
from tests.integration.running import served

NOT_HERE = {
    "traefik": "no package of it",
    "doors": "Traefik again",
    "grafana": "no package of it",
    "catcher": "no package of it",
    "prometheus": "by tests/integration/monitoring, on the same files",
}
"""What no test starts, and why."""
_ENV = {
    "MANA_ENVIRONMENT": "development",
    "PUBLIC_URL": "http://127.0.0.1:3001",
    "MAIL_FOLDER": "mails",
    "RATE_LIMIT_REGISTER": "1000/1h",
}
BODY = {"amount": 1, "appId": "chat", "description": "composed"}


async def _set_up(composed: Composed) -> None:
    """The one-shot service, from docker-compose.yml's words; it must succeed, and may run again."""
    home = composed.give("setup")
    state = (home / "state").read_text()
    command = [composed.placed("setup", filled(word, _ENV)) for word in SERVICES["setup"]["command"]]
    servers = composed.administrators()
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**run_environment(servers), "PATH": composed.path},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert (home / "state").read_text() == state, "what is read-only there is not written"


async def _started(stack: AsyncExitStack, composed: Composed) -> dict[str, Program]:
    """In the order of `depends_on`; our processes side by side, the fronts last."""
    await stack.enter_async_context(served(await composed.postgres()))
    await stack.enter_async_context(served(await composed.pgbouncer(), wait=False))
    await stack.enter_async_context(served(await composed.redis()))
    for program in await composed.rabbitmq():
        await stack.enter_async_context(served(program, in_order=False))
    await _set_up(composed)
    await _set_up(composed)
    replicas = {
        f"{service}-{number}": composed.ours(service, number)
        for service in OURS
        if service != "setup"
        for number in range(SERVICES[service]["deploy"].get("replicas", 1))
    }
    fronts = {name: program for name, program in replicas.items() if name.startswith("api")}
    for together in (replicas.keys() - fronts.keys(), fronts.keys()):
        for name in sorted(together):
            await stack.enter_async_context(served(replicas[name], wait=False))
        for name in sorted(together):
            async with asyncio.timeout(90):
                while not await replicas[name].probe():
                    await asyncio.sleep(0.5)
    return fronts


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_every_service_starts_and_its_health_check_knows_it(composed: Composed) -> None:
    composed.env.update(_ENV)
    ran = {*OURS, "postgres", "pgbouncer", "rabbitmq", "redis"}
    assert ran | set(NOT_HERE) == set(SERVICES)
    async with AsyncExitStack() as stack:
        fronts = await _started(stack, composed)
        for server in ("postgres", "pgbouncer", "redis", "rabbitmq"):
            assert await composed.is_healthy(server), server
        first, second = [str(front.url) for front in fronts.values()]
        async with httpx.AsyncClient(base_url=first) as one, httpx.AsyncClient(base_url=second) as other:
            user = await sign_up(one)
            spent = await _spent(other, user.headers)
            assert spent["balance"]["freeCreditsRemaining"] == 149
            assert (await one.post(f"{BASE}/auth/logout", headers=user.headers)).status_code == 200
            async with asyncio.timeout(5):
                while (await other.get(f"{BASE}/credits/balance", headers=user.headers)).status_code != 401:
                    await asyncio.sleep(0.05)
    for service in ("postgres", "pgbouncer", "redis", "rabbitmq"):
        assert not await composed.is_healthy(service), f"{service} is gone, and its check does not say so"
    assert not await composed.is_healthy("api-1")


async def _spent(http: httpx.AsyncClient, headers: dict[str, str]) -> dict[str, Any]:
    """The account is opened behind the registration: until then there is none."""
    async with asyncio.timeout(10):
        while (answer := await http.post(f"{BASE}/credits/use", json=BODY, headers=headers)).status_code == 404:
            await asyncio.sleep(0.1)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_sum_of_limits_fits_the_machine_that_deploy_md_asks_for() -> None:
    """8 GB and 4 cores: what all together may keep, not what they may have for moments."""
    kept = 0
    for service in SERVICES.values():
        resources = service["deploy"]["resources"]
        kept += _mib(resources["reservations"]["memory"]) * service["deploy"].get("replicas", 1)
    assert kept < 6 * 1024, kept


def _mib(text: str) -> int:
    return int(text[:-1]) * {"M": 1, "G": 1024}[text[-1]]
