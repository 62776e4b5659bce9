"""A bare-frames AMQP 0-9-1 client for load: publishes commands with confirms, receives direct replies.

Only what a load generator needs, so that it is not what a measurement measures (one connection, one channel).
"""

from bench.frames.client import Client, Receiver, connect
from bench.frames.errors import BrokerError
from bench.frames.template import Template

__all__ = ["BrokerError", "Client", "Receiver", "Template", "connect"]
