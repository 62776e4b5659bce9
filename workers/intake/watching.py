"""What a worker does besides its work, so that one can follow it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct

from workers.broker.link import Link
from workers.broker.publisher import Publisher
from workers.intake.reading import Read, read
from workers.intake.settling import Execute, Fences, Settled, Settler
from workers.intake.telling import tell
from workers.meters import Meters


class Watching(Struct, frozen=True):
    """By itself the log alone. ``workers.tracing`` puts others in these places: who wants no traces pays for none.

    ``answered`` is told of each batch whose answers are sent. ``close`` ends it, and may take seconds.
    """

    read: Read = read
    settler: Callable[[Execute, Fences, Meters], Settler] = Settler
    answered: Callable[[Settled], None] = tell
    open_publisher: Callable[[Link], Awaitable[Publisher]] = Publisher.open
    close: Callable[[], None] = lambda: None
