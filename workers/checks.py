"""What a worker must find before it begins: a ledger and a broker that committed credits can rest on."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from workers.broker.declaring import declare, require_kept
from workers.broker.errors import BrokerLostError
from workers.intake.commandlink import CommandLink
from workers.ledger.faults import Broken, ConnectionLost, TryAgain
from workers.ledger.store.fitness import check_durability
from workers.ledger.store.leases import Leases
from workers.ledger.store.session import Session

_log = structlog.get_logger(__name__)

_PAUSE_SECONDS: Final = 1.0


async def check_ledger(session: Session, partitions: int) -> None:
    """Raises ``NotDurable``, or ``Broken`` where the ledger has another number of partitions."""
    await check_durability(session)
    there = await Leases(session).partitions()
    if there != partitions:
        raise Broken(f"the ledger has {there} partitions, MANA_PARTITIONS says {partitions}")


async def await_ledger(url: str, name: str, partitions: int) -> None:
    """Returns once there is a ledger that we may work on; raises as :func:`check_ledger`, and for a wrong login.

    This comes before the broker's check: a wrong number of partitions must not make queues, which would move users.
    """
    while True:
        try:
            session = await Session.open(url, application_name=name)
            try:
                await check_ledger(session, partitions)
            finally:
                session.abort()
        except (TryAgain, ConnectionLost) as error:
            _log.warning("the ledger cannot be checked yet", reason=str(error))
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            return


async def await_broker(link: CommandLink, partitions: int) -> None:
    """Returns once all our queues are there as the contract has them. Raises ``QueueMismatchError``."""
    while True:
        connection = await link.up()
        try:
            await declare(connection, range(partitions))
            await require_kept(connection)
        except BrokerLostError as error:
            _log.warning("the broker cannot be checked yet", reason=str(error))
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            return
