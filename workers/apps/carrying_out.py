"""Calls to the broker's management that belong together, for whoever has decided on them."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from workers.apps.management import Management, RefusedError
from workers.apps.meters import AppsMeters
from workers.apps.model import Call, Kind

_log = structlog.get_logger(__name__)


async def carried_out(
    management: Management, meters: AppsMeters, what: Kind, about: str, calls: Iterable[Call]
) -> bool:
    """Makes them in their order. False where the broker does not take one, which is told. Raises ``AwayError``."""
    try:
        for call in calls:
            await management.call(call)
    except RefusedError as error:
        meters.failed.inc()
        _log.error("the broker does not take it", what=what, about=about, reason=str(error))
        return False
    return True
