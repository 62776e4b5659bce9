"""The one command that loads are made of: a use of one credit; and what its answer must look like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bench.calls import APP
from bench.errors import BenchError
from bench.frames import BrokerError, Client, Template
from bench.frames.address import Address
from contracts.topology import COMMANDS_EXCHANGE

_GOOD: Final = (b'"ok":true', b'"replayed":false')


class Uses:
    """Uses of an app by the users of a population, in its order. ``run``, which must be new, begins their idempotency
    keys."""

    def __init__(self, users: Iterator[bytes], run: str, app: str = APP) -> None:
        self._users = users
        self._before_number = b'","idempotencyKey":"%s-' % run.encode()
        self._after_number = f'","amount":1,"appId":"{app}","description":"one use"}}'.encode()

    def publish(self, client: Client, template: Template, number: bytes) -> None:
        """Sends the next one; its number, unique in the run, is its correlation id."""
        user = next(self._users)
        body = b"".join((b'{"userId":"', user, self._before_number, number, self._after_number))
        client.publish(template, user, number, body)


def use_template(url: str) -> Template:
    """What all uses of the login in this address have in common."""
    return Template(COMMANDS_EXCHANGE, "credits.use", Address.of(url).login)


def is_charged(body: bytes) -> bool:
    """Whether a reply says that the use was done, and done for the first time."""
    return all(part in body for part in _GOOD)


def wrong_answer(body: bytes) -> BenchError:
    """What ends a measurement where the answer is another one, or the second one."""
    return BenchError(f"A use was answered with {body[:300]!r}.")


def queue_full() -> BenchError:
    """What ends a measurement where nothing may be refused."""
    return BenchError("The broker did not take a command: its queue is full.")


def no_queue() -> BrokerError:
    """What ends every measurement."""
    return BrokerError("The broker has no queue for commands.")
