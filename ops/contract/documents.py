"""The files of `docs/contract/`, as the code makes them."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Final

from api import wiring
from api.settings import Settings
from contracts.asyncapi import asyncapi_document
from contracts.schema_documents import error_codes_document
from ops.contract.forms import Json
from ops.contract.pages import amqp, events, index, rest
from ops.place import CHECKOUT

FOLDER: Final = CHECKOUT / "docs" / "contract"
_NOWHERE: Final = "127.0.0.1:1"


def texts() -> dict[str, str]:
    """Every file's text by its name."""
    asyncapi, openapi, error_codes = asyncapi_document(), openapi_document(), error_codes_document()
    return {
        "asyncapi.json": _written(asyncapi),
        "openapi.json": _written(openapi),
        "index.html": index.page(),
        "amqp.html": amqp.page(asyncapi, error_codes),
        "rest.html": rest.page(openapi, error_codes),
        "events.md": events.page(asyncapi),
    }


def openapi_document() -> Json:
    """What any front serves: the routes are made with settings that lead nowhere, and asked for what they say."""
    settings = Settings.model_validate(
        {
            "database_url": f"postgresql://nobody@{_NOWHERE}/none",
            "amqp_url": f"amqp://nobody@{_NOWHERE}/",
            "redis_url": f"redis://{_NOWHERE}/0",
            "stripe_secret_key": "sk_test_of_nobody",
            "mana_secret_key": base64.b64encode(bytes(range(32))).decode(),
        }
    )
    return asyncio.run(wiring.openapi(settings))


def outdated() -> list[str]:
    """The names of files that are missing, differ from what the code says, or have no business there."""
    wanted = texts()
    held = {path.name: path.read_text() for path in FOLDER.glob("*")}
    return sorted(name for name in wanted.keys() | held.keys() if wanted.get(name) != held.get(name))


def write() -> None:
    """Makes the folder hold exactly the files."""
    wanted = texts()
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text)


def _written(document: Json) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
