"""A real browser: Debian's Chromium, driven over its DevTools protocol."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import pytest
from playwright.async_api import Page, async_playwright, expect

from ops import packages

_PACKAGE: Final = "chromium-headless-shell"
_PROGRAMS: Final = (_PACKAGE, "chromium")
_PATIENCE_MS: Final = 20_000
# Each start would look for Google's servers otherwise.
_ALONE: Final = ("--disable-background-networking", "--disable-component-update", "--disable-sync")


@asynccontextmanager
async def browsing() -> AsyncGenerator[Page]:
    """An empty page of a new browser, installed from the system's packages first where it is missing."""
    program = _found() or await _installed()
    expect.set_options(timeout=_PATIENCE_MS)
    async with async_playwright() as tool:
        browser = await tool.chromium.launch(executable_path=program, args=[*_ALONE])
        try:
            page = await browser.new_page()
            page.set_default_timeout(_PATIENCE_MS)
            yield page
        finally:
            await browser.close()


def _found() -> str | None:
    return next(filter(None, map(shutil.which, _PROGRAMS)), None)


async def _installed() -> str:
    """Fails the test where there is none to be had: what is clicked through there is shown by nothing else."""
    said = [f"ask an administrator to run apt-get install {_PACKAGE}"]
    await asyncio.to_thread(packages.offer, _PACKAGE, _PACKAGE, said.append)
    return _found() or pytest.fail(f"There is no Chromium to click with: {said[-1]}")
