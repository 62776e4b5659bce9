"""Settings out of a file: an environment is inherited by every program that a process starts, and shown by
``docker inspect``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

SETTING: Final = "MANA_SECRETS_FILE"
"""Names a file with more of the environment: a JSON object of names and texts. What the environment says goes first."""


class FileSettings(BaseSettings):
    """Reads the environment, and the file that it names. A file that cannot be read is an error of that setting's."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Where values come from, the first that knows one counts."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, _held(settings_cls))


def _held(kind: type[BaseSettings]) -> dict[str, Any]:
    path = os.environ.get(SETTING)
    if not path:
        return {}
    try:
        told = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise _unreadable(kind, f"names {path}, which cannot be read ({error.strerror})") from None
    except ValueError:
        raise _unreadable(kind, f"names {path}, which is no JSON") from None
    if not isinstance(told, dict) or not all(isinstance(value, str) for value in told.values()):
        raise _unreadable(kind, f"names {path}, which holds something else than names and texts")
    return {name.lower(): value for name, value in told.items() if value}


def _unreadable(kind: type[BaseSettings], sentence: str) -> ValidationError:
    """As of any other setting. The file's content is not shown."""
    wrong = PydanticCustomError("value_error", "{sentence}", {"sentence": sentence})
    return ValidationError.from_exception_data(
        kind.__name__, [InitErrorDetails(type=wrong, loc=(SETTING,), input=None)], hide_input=True
    )
