"""The stream from its first event to where it ended when the rebuilding began."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from prometheus_client import CollectorRegistry

from workers.usage.following import Following
from workers.usage.meters import UsageMeters
from workers.usage.recording import Recording
from workers.usage.store import UsageStore

_SILENCE_SECONDS: Final = 3.0
"""A stream that brings nothing for so long has come to its end."""


async def count_stream(stream: Following, store: UsageStore) -> int:
    """Counts all that the stream holds; answers how many events told of a transaction. What comes while it reads is
    not waited for. Raises ``BrokerLostError``, and a ``Fault``."""
    began = datetime.now(UTC)
    recording = Recording(store, UsageMeters(CollectorRegistry()))
    number = 0
    await stream.begin("first")
    while batch := await stream.batch(_SILENCE_SECONDS):
        entries = await recording.record(batch, moving=False)
        stream.done(batch)
        number += len(entries)
        if entries and entries[-1].at >= began:
            break
    await stream.close()
    return number
