"""Questions to a Prometheus, and waiting for what it is to see."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

_PATIENCE_SECONDS = 100.0


@dataclass(frozen=True)
class Watching:
    """A running Prometheus, by a client at its address."""

    client: httpx.Client

    def answering(self) -> set[str]:
        """Who answers, of all whom it asks."""
        return {target["labels"]["instance"] for target in self._ask("targets")["activeTargets"] if _answers(target)}

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What it answers now; refuses what is no expression."""
        return self._ask("query", query=expression)["result"]

    def value(self, expression: str) -> float:
        """The one figure that it answers now."""
        (sample,) = self.query(expression)
        return float(sample["value"][1])

    def alerts(self) -> set[str]:
        """The names of those that fire."""
        return {alert["labels"]["alertname"] for alert in self._ask("alerts")["alerts"] if alert["state"] == "firing"}

    def _ask(self, what: str, **parameters: str) -> Any:
        answer = self.client.get(f"/api/v1/{what}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]


def _answers(target: dict[str, Any]) -> bool:
    return target["health"] == "up"


def eventually(happened: Callable[[], bool]) -> None:
    """Waits for it, and gives up at last."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.2)
