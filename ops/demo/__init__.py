"""`./mana up --demo`: a first user spends first credits, by both doors, and buys more, step by step."""

import asyncio
from collections.abc import Mapping

import httpx

from ops import stand_in
from ops.demo import buying, spending
from ops.demo.steps import show
from ops.status import Status


def run(env: Mapping[str, str], told: Status | None) -> None:
    """Register, log in, spend by REST and by AMQP, list both, buy a package; each step is printed.

    `env` and `told` are the instance's. Bought is at a stand-in alone: an instance without one shows the rest, and says
    so. Raises LauncherError at the first step that does not answer as the contract says.
    """
    asyncio.run(_run(env, told))


async def _run(env: Mapping[str, str], told: Status | None) -> None:
    async with httpx.AsyncClient(base_url=f"{env['MANA_API_URL']}/api/v1", timeout=30, trust_env=False) as front:
        await spending.run(front, env["MANA_AMQP_URL"])
        url = stand_in.url_of(told)
        if url is None:
            show("not bought", stand_in.why_the_demo_does_not_buy(told))
        else:
            await buying.run(front, url)
