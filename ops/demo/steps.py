"""What the demo's parts share: asking as a client does, and printing what came of it."""

from collections.abc import Mapping
from typing import Any

import httpx

from ops import screen
from ops.errors import LauncherError

_SHOWN = 500  # characters of an answer that was not expected


async def call(
    front: httpx.AsyncClient, method: str, path: str, expected: int, body: Mapping[str, Any] | None = None
) -> Any:
    """The front's answer. Raises LauncherError for one that is not as the contract says."""
    return (await send(front, front.build_request(method, path, json=body), expected, "api")).json()


async def send(client: httpx.AsyncClient, request: httpx.Request, expected: int, process: str) -> httpx.Response:
    """The answer. Raises LauncherError for another status than the expected; `process` is whose log tells more."""
    try:
        answer = await client.send(request)
    except httpx.HTTPError as error:
        raise LauncherError(
            f"The demo could not reach {request.url} ({error!r}): see ./mana logs {process}."
        ) from error
    if answer.status_code != expected:
        raise LauncherError(
            f"The demo expected {expected} from {request.method} {request.url}, and was answered {answer.status_code}"
            f" {answer.text[:_SHOWN]}: see ./mana status, and ./mana logs {process}."
        )
    return answer


def show(step: str, text: str) -> None:
    """Print a step."""
    screen.results.print(f"{step:>16}  {text}", markup=False)
