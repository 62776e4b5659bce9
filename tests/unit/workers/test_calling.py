"""A call of the library that the library itself gives up is a lost broker, never the end of the task that waits."""

from __future__ import annotations

import asyncio

import pytest

from workers.broker.calling import calling
from workers.broker.errors import BrokerLostError, QueueMismatchError


async def _given_up() -> None:
    """As aiormq rejects what is under way: the future that the caller waits for is cancelled."""
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.cancel)
    await future


async def test_what_the_library_cancels_is_lost() -> None:
    with pytest.raises(BrokerLostError, match="subscribing"):
        async with calling("subscribing"):
            await _given_up()


async def test_our_own_end_stays_one() -> None:
    async def work() -> None:
        async with calling("subscribing"):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


@pytest.mark.parametrize("error", [ConnectionResetError(), RuntimeError("closed"), EOFError(), Exception()])
async def test_every_failure_of_the_library_is_lost(error: Exception) -> None:
    with pytest.raises(BrokerLostError):
        async with calling("subscribing"):
            raise error


@pytest.mark.parametrize("error", [ValueError(), QueueMismatchError()])
async def test_what_says_more_goes_on(error: Exception) -> None:
    with pytest.raises(type(error)):
        async with calling("declaring"):
            raise error


async def test_no_answer_in_time_is_lost() -> None:
    with pytest.raises(BrokerLostError):
        async with calling("subscribing", within=0.01):
            await asyncio.Event().wait()


async def test_a_time_that_somebody_else_set_is_his() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), calling("subscribing"):
            await asyncio.Event().wait()
