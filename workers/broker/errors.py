"""What may go wrong at the broker."""

from __future__ import annotations


class BrokerError(Exception):
    """Anything that the broker, or the way to it, did not do for us."""


class BrokerLostError(BrokerError):
    """The connection or channel is gone, or could not be had. Everything unacknowledged comes again."""


class QueueMismatchError(BrokerError):
    """A queue exists with other arguments than the contract's: what durability rests on is not there."""


class NotAcceptedError(BrokerError):
    """The broker said no: the queue is full, or there is none. Nothing will come of the message."""
