"""Logs are kept, not drawn: the console's renderer takes seconds over a traceback with a batch in it."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from structlog.testing import capture_logs


@pytest.fixture(autouse=True)
def _logs_kept() -> Generator[None]:
    with capture_logs():
        yield
