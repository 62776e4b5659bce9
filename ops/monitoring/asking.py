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


@dataclass(frozen=True)
class Sample:
    """What one set of labels has now."""

    labels: dict[str, str]
    value: float


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
        bounds = {"start": span.start, "end": span.end, "step": span.step}
        found = [_series(one) for one in self._ask("query_range", expression, **bounds)["result"]]
        return [series for series in found if series.points]

    def now(self, expression: str) -> list[Sample]:
        """What the expression is now; a number without labels is one sample."""
        told = self._ask("query", expression)
        match told["resultType"]:
            case "vector":
                return [Sample(one["metric"], float(one["value"][1])) for one in told["result"]]
            case "scalar":
                return [Sample({}, float(told["result"][1]))]
            case _:
                raise LauncherError(f"{expression} has no value of one moment: ask for rate(…), or another function.")

    def _ask(self, way: str, expression: str, **bounds: float) -> dict[str, Any]:
        try:
            answer = self._client.get(f"/api/v1/{way}", params={"query": expression, **bounds})
        except httpx.HTTPError as error:
            raise LauncherError(f"Prometheus does not answer at {self._client.base_url}: {error}.") from error
        if not answer.is_success:
            raise LauncherError(f"Prometheus refuses {expression}: {_reason(answer)}")
        return answer.json()["data"]


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError):  # what stands before it, such as a proxy, answers in its own words
        return answer.text


def _series(told: dict[str, Any]) -> Series:
    points = [(float(at), float(value)) for at, value in told["values"]]
    return Series(told["metric"], [(at, value) for at, value in points if math.isfinite(value)])
