"""Runs where nothing of the service is installed: asks the README's web app, with a real user's token."""

import asyncio
import importlib
import json
import os
import pkgutil
import uuid

import httpx
import mana_client
from web import app  # pyright: ignore[reportMissingImports] - the README's, beside it there

OF_THE_SERVICE = ("contracts", "api", "workers", "migrations", "ops", "bench", "faststream", "asyncpg", "aio_pika")


async def main() -> None:
    """Prints who the app says is asking, and how it answers others."""
    async with httpx.AsyncClient(base_url=f"{os.environ['MANA_API_URL']}/api/v1") as mana:
        given = {"email": f"u{uuid.uuid4().hex}@example.com", "password": "correct horse battery staple"}
        (await mana.post("/auth/register", json=given)).raise_for_status()
        session = (await mana.post("/auth/login", json=given)).raise_for_status().json()
    headers = {"Authorization": f"Bearer {session['accessToken']}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as web:
        me = await web.get("/me", headers=headers)
        statuses = [(await web.get(path, headers=headers)).status_code for path in ("/audit", "/refunds")]
        nobody = (await web.get("/me")).status_code
    print(json.dumps([me.json() == {"id": session["user"]["id"], "role": "user"}, *statuses, nobody]))


def is_importable(name: str) -> bool:
    """Whether there is such a package here."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return False
    return True


modules = [module.name for module in pkgutil.walk_packages(mana_client.__path__, "mana_client.")]
print(json.dumps(len([importlib.import_module(name) for name in modules])))
print(json.dumps([name for name in OF_THE_SERVICE if is_importable(name)]))
asyncio.run(main())
