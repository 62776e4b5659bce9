"""Questions to a running Prometheus."""

import math
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Self

import httpx

from ops.errors import LauncherError

_PATIENCE_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Span:
    """From one time to another (seconds since 1970), looked at each `step` seconds."""

    start: float
    end: float
    step: int


@dataclass(frozen=True)
class Series:
    """What one set of labels had, as (time, value); times without a figure are left out."""

    labels: dict[str, str]
    points: list[tuple[float, float]]


class Prometheus:
    """Asks by its HTTP API. Raises LauncherError where it does not answer, or refuses the expression."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    @classmethod
    @contextmanager
    def at(cls, url: str) -> Generator[Self]:
        """The one at that address, asked over connections that are kept until the end of the block."""
        with httpx.Client(base_url=url, timeout=_PATIENCE_SECONDS, trust_env=False) as client:
            yield cls(client)

    def over(self, expression: str, span: Span) -> list[Series]:
        """What the expression was over that time; series without any figure are none."""
        parameters = {"query": expression, "start": span.start, "end": span.end, "step": span.step}
        try:
            answer = self._client.get("/api/v1/query_range", params=parameters)
        except httpx.HTTPError as error:
            raise LauncherError(f"Prometheus does not answer at {self._client.base_url}: {error}.") from error
        if not answer.is_success:
            raise LauncherError(f"Prometheus refuses {expression}: {answer.text}")
        found = [_series(one) for one in answer.json()["data"]["result"]]
        return [series for series in found if series.points]


def _series(told: dict[str, Any]) -> Series:
    points = [(float(at), float(value)) for at, value in told["values"]]
    return Series(told["metric"], [(at, value) for at, value in points if math.isfinite(value)])
