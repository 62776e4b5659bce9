"""Every service of docker-compose.yml that can run here, at once: its command, files, secrets and health check, and
that Prometheus finds them all; and ours with the settings that docs/operations/deploy.md names for production."""

from __future__ import annotations

import asyncio
import re
import shlex
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import httpx
import pytest

from api.auth.browser.mode import REFRESH_COOKIE
from contracts.mails import MailKind
from ops import packages
from ops.place import CHECKOUT
from ops.program import Program
from tests.composed import OURS, SERVICES
from tests.integration.api.stripe_events import SECRET, deliver, signature
from tests.integration.api.users import BASE, PASSWORD, sign_up
from tests.integration.mail.box import Received, read
from tests.integration.mail.server import SmtpServer, receiving
from tests.integration.ops.composing import Composed, spent_one
from tests.integration.running import served

NOT_HERE = {
    "traefik": "no package of it",
    "doors": "Traefik again",
    "grafana": "no package of it",
    "catcher": "no package of it",
}
"""What no test starts, and why."""
_SERVERS = ("postgres", "pgbouncer", "redis", "rabbitmq", "prometheus", "alertmanager")
_ENV = {
    "MANA_ENVIRONMENT": "development",
    "PUBLIC_URL": "http://127.0.0.1:3001",
    "MAIL_FOLDER": "mails",
    "RATE_LIMIT_REGISTER": "1000/1h",
}
ANOTHER = "- {id: composed, name: Composed, description: One, credits: 1, priceEuroCents: 100}\n"


async def _started(stack: AsyncExitStack, composed: Composed) -> dict[str, Program]:
    """The servers and ours, in the order of `depends_on`; our processes side by side, and last the fronts, which are
    answered."""
    await stack.enter_async_context(served(await composed.postgres()))
    await stack.enter_async_context(served(await composed.pgbouncer(), wait=False))
    await stack.enter_async_context(served(await composed.redis()))
    for program in await composed.rabbitmq():
        await stack.enter_async_context(served(program, in_order=False))
    await composed.set_up()
    await composed.set_up()
    ours = set(OURS) - {"setup", "mana"}
    fronts = {service for service in ours if service.startswith("api")}
    await composed.start(stack, ours - fronts)
    return await composed.start(stack, fronts)


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_every_service_starts_and_its_health_check_knows_it(composed: Composed, tmp_path: Path) -> None:
    packages.require_all({**packages.MONITORING, "wget": "wget"}, watch=lambda _line: None)
    composed.env.update(_ENV)
    assert {*OURS, *_SERVERS} | set(NOT_HERE) == set(SERVICES)
    async with AsyncExitStack() as stack:
        fronts = await _started(stack, composed)
        await stack.enter_async_context(served(await composed.alertmanager()))
        await stack.enter_async_context(served(await composed.prometheus()))
        for server in _SERVERS:
            assert await composed.is_healthy(server), server
        first, second = [str(front.url) for front in fronts.values()]
        async with httpx.AsyncClient(base_url=first) as one, httpx.AsyncClient(base_url=second) as other:
            user = await sign_up(one)
            spent = await spent_one(other, user.headers)
            assert spent["balance"]["freeCreditsRemaining"] == 149
            assert "violations" in await composed.operated("verify")
            shown = (await other.get(f"{BASE}/credits/packages", headers=user.headers)).json()
            (tmp_path / "packages.yaml").write_text((await composed.operated("packages", "list")) + ANOTHER)
            said = await composed.operated("packages", "apply", "packages.yaml", work=tmp_path)
            assert said.endswith(f"1 new, {len(shown)} unchanged\n")
            assert (await one.post(f"{BASE}/auth/logout", headers=user.headers)).status_code == 200
            await _all_are_watched(composed)
            async with asyncio.timeout(5):
                while (await other.get(f"{BASE}/credits/balance", headers=user.headers)).status_code != 401:
                    await asyncio.sleep(0.05)
    for service in _SERVERS:
        assert not await composed.is_healthy(service), f"{service} is gone, and its check does not say so"
    assert not await composed.is_healthy("api-1")


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_with_what_the_page_names_for_production_mails_arrive_credits_are_spent_and_stripe_is_heard(
    apart: Composed,
) -> None:
    page = (CHECKOUT / "docs" / "operations" / "deploy.md").read_text(encoding="utf-8")
    apart.env.update(_dot_env(page))
    assert "MANA_ENVIRONMENT" not in apart.env, "nothing makes it development"
    async with receiving() as smtp, AsyncExitStack() as stack:
        own = {"SMTP_URL": smtp.url, "STRIPE_SECRET_KEY": "sk_test_made_up_8f3a", "STRIPE_WEBHOOK_SECRET": SECRET}
        assert all(f"`{name}`" in page for name in own)
        apart.give_own(own)
        fronts = await _started(stack, apart)
        first, second = [str(front.url) for front in fronts.values()]
        async with httpx.AsyncClient(base_url=first) as one, httpx.AsyncClient(base_url=second) as other:
            user = await sign_up(one)
            assert (await spent_one(other, user.headers))["balance"]["freeCreditsRemaining"] == 149
            body = {"email": user.email, "password": PASSWORD}
            ours = {"x-mana-session": "cookie", "origin": apart.env["CORS_ORIGINS"], "sec-fetch-site": "same-site"}
            begun = await other.post(f"{BASE}/auth/login", json=body, headers=ours)
            (cookie,) = [line for line in begun.headers.get_list("set-cookie") if line.startswith(REFRESH_COOKIE)]
            assert {"secure", "httponly"} <= {attribute.strip().lower() for attribute in cookie.split(";")}
            mail = await _mail(smtp, "verify")
            assert mail.to == user.email
            assert mail.message["From"] == apart.env["MAIL_FROM"]
            assert mail.link.startswith(f"https://{apart.env['MANA_DOMAIN']}/")
            event = b'{"id": "evt_of_production", "type": "product.created", "livemode": false}'
            assert (await deliver(one, event, signature(event, "whsec_of_another_endpoint"))).status_code == 400
            assert (await deliver(one, event)).status_code == 200
        await _is_kept(apart, "evt_of_production")


def _dot_env(page: str) -> dict[str, str]:
    """The file that the page says to write."""
    (block,) = re.findall(r"\*\*Write `\.env`\*\*:\n\n +```\n(.*?)\n +```\n", page, flags=re.DOTALL)
    return dict(word.split("=", 1) for word in shlex.split(block))


async def _mail(smtp: SmtpServer, kind: MailKind) -> Received:
    async with asyncio.timeout(30):
        while not (found := [mail for mail in map(read, smtp.received) if mail.kind == kind]):
            await asyncio.sleep(0.05)
    return found[0]


async def _is_kept(composed: Composed, event: str) -> None:
    """Until the payments worker has what the front took from Stripe."""
    database = await asyncpg.connect(composed.administrators()["DATABASE_URL"])
    try:
        async with asyncio.timeout(20):
            while not await database.fetchval("SELECT count(*) FROM credits.stripe_events WHERE id = $1", event):
                await asyncio.sleep(0.1)
    finally:
        await database.close()


async def _all_are_watched(composed: Composed) -> None:
    """Prometheus finds each of its targets, but who is not here, and who hears its alerts."""
    url = f"http://127.0.0.1:{composed.port('prometheus', 9090)}/api/v1"
    async with httpx.AsyncClient(base_url=url) as prometheus, asyncio.timeout(60):
        missing = {"", "traefik"}
        while missing != {"traefik"}:
            await asyncio.sleep(0.5)
            targets = (await prometheus.get("/targets")).json()["data"]["activeTargets"]
            missing = {target["labels"]["job"] for target in targets if target["health"] != "up"}
        heard = (await prometheus.get("/alertmanagers")).json()["data"]["activeAlertmanagers"]
        assert [one["url"] for one in heard] == [
            f"http://127.0.0.1:{composed.port('alertmanager', 9093)}/api/v2/alerts"
        ]


def test_the_sum_of_limits_fits_the_machine_that_deploy_md_asks_for() -> None:
    """8 GB and 4 cores: what all together may keep, not what they may have for moments."""
    kept = 0
    for service in SERVICES.values():
        resources = service["deploy"]["resources"]
        kept += _mib(resources["reservations"]["memory"])
    assert kept < 6 * 1024, kept


def _mib(text: str) -> int:
    return int(text[:-1]) * {"M": 1, "G": 1024}[text[-1]]
