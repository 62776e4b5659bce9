"""What may go wrong at the broker."""

from __future__ import annotations


class BrokerError(Exception):
    """Anything that the broker, or the way to it, did not do for us."""


class BrokerLostError(BrokerError):
    """The connection or channel is gone, or could not be had. Everything unacknowledged comes again."""


class ChannelClosedError(BrokerLostError):
    """The broker closed the channel, and said why: ``code`` is one of AMQP's reply codes."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code


class ProtocolError(BrokerError):
    """The broker sent what AMQP 0-9-1 does not allow, or more than was agreed on: nothing after it can be trusted."""


class QueueMismatchError(BrokerError):
    """A queue exists with other arguments than the contract's: what durability rests on is not there."""


class NotAcceptedError(BrokerError):
    """The broker said no: the queue is full, or there is none. Nothing will come of the message."""
