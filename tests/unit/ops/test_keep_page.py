"""The operators' page of keeping names each setting of it with its default, and the commands that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from api.settings import RelaySettings
from ops.settings import Settings as LauncherSettings
from tests.unit.ops.test_env_example import NEEDED
from workers.settings import Settings as WorkerSettings

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "operations" / "keep.md").read_text(encoding="utf-8")
NAMED = dict(re.findall(r"^\| [^|]* \| `([A-Z_]+)` \| ([^|]*) \|", PAGE, flags=re.MULTILINE))
OF = {
    "REFUSALS_EXPIRY": WorkerSettings,
    "SECURITY_EVENTS_EXPIRY": RelaySettings,
    "ENDED_SESSIONS_EXPIRY": RelaySettings,
    "DEAD_LETTERS_AGE": LauncherSettings,
    "EVENTS_LOG_BYTES": LauncherSettings,
    "EVENTS_LOG_AGE": LauncherSettings,
    "SUBSCRIBER_QUEUE_LENGTH": LauncherSettings,
}


def test_each_setting_has_one_row() -> None:
    assert sorted(NAMED) == sorted(OF)


@pytest.mark.parametrize(("name", "kind"), OF.items())
def test_the_defaults_are_those(name: str, kind: type[BaseSettings], monkeypatch: pytest.MonkeyPatch) -> None:
    for needed, value in NEEDED.items():
        monkeypatch.setenv(needed, value)
    unset = kind()
    default = NAMED[name].strip()
    if default == "none":
        assert getattr(unset, name.lower()) is None
        return
    monkeypatch.setenv(name, default.strip("`"))
    assert kind() == unset
