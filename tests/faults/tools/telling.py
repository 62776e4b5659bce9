"""What a process of ours tells over HTTP, and in its log."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx

_PATIENCE_SECONDS: Final = 40.0
_READY_SECONDS: Final = 5.0
"""Who says for so long nothing is not ready."""
_LOOK_SECONDS: Final = 0.05
_SQLSTATE: Final = re.compile(r"SQLSTATE ([0-9A-Z]{5})")
_NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Nothing here is encrypted, and reading the system's certificates for each client takes longer than the question."""


async def health(url: str) -> dict[str, Any]:
    """What ``/health/ready`` says; empty while nobody answers."""
    answer = await _get(f"{url}/health/ready")
    return answer.json() if answer is not None else {}


async def is_ready(url: str) -> bool:
    """Whether ``/health/ready`` says 200, soon."""
    answer = await _get(f"{url}/health/ready", _READY_SECONDS)
    return answer is not None and answer.is_success


async def meters(url: str) -> Mapping[str, float]:
    """The meters by name, each summed over its labels; empty while nobody answers."""
    answer = await _get(f"{url}/metrics")
    sums: defaultdict[str, float] = defaultdict(float)
    for line in answer.text.splitlines() if answer is not None else ():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            sums[name.partition("{")[0]] += float(value)
    return sums


def log_lines(log: Path) -> list[dict[str, Any]]:
    """What it has logged so far; a last line without its end is still being written."""
    whole = log.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    return [json.loads(line) for line in whole if line.startswith("{")]


def sqlstates(lines: Iterable[dict[str, Any]]) -> Counter[str]:
    """The SQLSTATEs that lines of a log name, each counted once a line."""
    return Counter(code for line in lines for code in set(_SQLSTATE.findall(json.dumps(line))))


async def until(look: Callable[[], Awaitable[object]], what: str, within: float, log: Path | None = None) -> float:
    """Waits until ``look`` answers something true; how long that took, in seconds.

    Raises ``AssertionError`` with the log's end when that is not within so many seconds.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(within):
            while not await look():
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        told = log.read_text(encoding="utf-8", errors="replace")[-4000:] if log is not None and log.exists() else ""
        raise AssertionError(f"not within {within:.0f} s: {what}\n{told}") from None
    return loop.time() - began


async def _get(url: str, patience: float = _PATIENCE_SECONDS) -> httpx.Response | None:
    async with httpx.AsyncClient(trust_env=False, timeout=patience, verify=_NO_TLS) as client:
        try:
            return await client.get(url)
        except httpx.HTTPError:
            return None
