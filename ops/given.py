"""Servers that were given instead of being started: whether they answer, before anything is built on them."""

from dataclasses import replace

import httpx

from ops import probes, urls
from ops.errors import LauncherError
from ops.layout import Layout
from ops.management import trusted

_PATIENCE_SECONDS = 5.0


async def reached(plan: Layout) -> Layout:
    """The plan with the management address that answers. Raises LauncherError naming a server that does not."""
    addresses = plan.addresses
    if plan.redis is None and not await probes.redis_server(addresses.redis)():
        raise LauncherError(
            f"Redis at {urls.where(addresses.redis)} does not answer, or refuses the login: check REDIS_URL."
        )
    if plan.rabbitmq is None:
        management = await _management(plan.management_candidates, addresses.amqp)
        return replace(plan, addresses=replace(addresses, management=management))
    return plan


async def _management(candidates: list[str], amqp_url: str) -> str:
    """The first address that answers. Raises LauncherError when none does, or when it refuses the login."""
    login, trust = urls.login_of(amqp_url), trusted(amqp_url)
    async with httpx.AsyncClient(auth=login, timeout=_PATIENCE_SECONDS, trust_env=False, verify=trust) as client:
        for url in candidates:
            try:
                answer = await client.get(f"{url}/api/whoami")
            except httpx.HTTPError:
                continue  # the sentence below names them all
            if answer.is_success:
                return url
            raise LauncherError(
                f"RabbitMQ's management API at {url} refuses the login of AMQP_URL ({answer.status_code}):"
                " give it an administrator's."
            )
    raise LauncherError(
        f"RabbitMQ's management API does not answer at {' or '.join(candidates)}: enable the plugin"
        " rabbitmq_management, and name its address in RABBITMQ_MANAGEMENT_URL."
    )
