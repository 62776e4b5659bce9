"""The pages that links lead to: their script, run by Node.js, and what a browser lets them do."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.auth.mail_links import pages
from tests.e2e.node import NODE

PATHS = {
    "/verify-email": "/api/v1/auth/email/verify",
    "/reset-password": "/api/v1/auth/password/reset",
    "/confirm-email": "/api/v1/auth/email/change/confirm",
}
WEAK = {"details": {"errors": [{"field": "newPassword", "message": "is a common one"}]}}
DEAD = {"details": {"errors": [{"field": "token", "message": "is of no use"}]}}


@pytest.fixture
async def browser() -> AsyncGenerator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(pages.router())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mana.test") as client:
        yield client


def _part(page: str, tag: str) -> str:
    found = re.search(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    assert found is not None
    return found[1]


def _run(page: str, **told: Any) -> dict[str, Any]:
    route = re.search('data-route="([^"]+)"', page)
    assert route is not None
    usual = {"hash": "#token=abc-_1", "language": "en-GB", "status": 200, "answer": {}, "fields": {}}
    told = {**usual, "script": _part(page, "script"), "route": route[1], **told}
    done = subprocess.run(
        [str(NODE), str(Path(__file__).with_name("page.js"))],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.checklist(45)
@pytest.mark.parametrize(("path", "route"), PATHS.items())
async def test_a_page_sends_the_token_when_the_button_is_pressed_and_not_before(
    browser: httpx.AsyncClient, path: str, route: str
) -> None:
    done = _run((await browser.get(path)).text, fields={"newPassword": "a staple"})
    assert done["before"] == {"requests": 0, "hidden": False, "said": ""}
    assert done["requests"] == [
        {
            "url": route,
            "method": "POST",
            "type": "application/json",
            "body": {"token": "abc-_1", "newPassword": "a staple"},
        }
    ]
    assert done["visited"] == ["/page"], "the token leaves the address bar"
    assert (done["hidden"], done["said"], done["disabled"]) == (True, "Done.", False)


@pytest.mark.parametrize(
    ("status", "answer", "english", "german"),
    [
        (422, WEAK, "too easy to guess", "zu leicht zu erraten"),
        (422, DEAD, "Ask for a new one", "einen neuen anfordern"),
        (422, {}, "Ask for a new one", "einen neuen anfordern"),
        (429, {}, "Try again in a while", "später"),
        (503, {}, "Try again in a while", "später"),
        (0, {}, "cannot be reached", "nicht erreichbar"),
    ],
)
async def test_what_went_wrong_is_said_in_the_browsers_language_and_can_be_tried_again(
    browser: httpx.AsyncClient, status: int, answer: dict[str, Any], english: str, german: str
) -> None:
    page = (await browser.get("/reset-password")).text
    for language, sentence, title in (("en", english, "A title"), ("de-AT", german, "Ein Titel")):
        done = _run(page, language=language, status=status, answer=answer)
        assert sentence in done["said"]
        assert (done["title"], done["language"]) == (title, language[:2])
        assert (done["hidden"], done["disabled"]) == (False, False)


async def test_a_link_without_a_token_asks_for_nothing(browser: httpx.AsyncClient) -> None:
    done = _run((await browser.get("/verify-email")).text, hash="#")
    assert done["requests"] == []
    assert done["hidden"] is True
    assert "not whole" in done["said"]


@pytest.mark.checklist(45)
@pytest.mark.parametrize("path", PATHS)
async def test_a_page_may_load_nothing_run_only_its_own_and_tell_nobody_where_it_was(
    browser: httpx.AsyncClient, path: str
) -> None:
    answer = await browser.get(path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["form-action"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        digest = base64.b64encode(hashlib.sha256(_part(answer.text, tag).encode()).digest()).decode()
        assert policy[directive] == f"'sha256-{digest}'"
    assert not re.search(r"(src|href)=|\son[a-z]+=|style=", answer.text)
    assert (await browser.head(path)).status_code == 200
