"""A bare-frames AMQP 0-9-1 client for load: publishes commands with confirms, receives direct replies, reads queues.

Only what a load generator needs, so that it is not what a measurement measures (one connection, one channel).
"""

from bench.frames.client import Client, Receiver, connect
from bench.frames.consumer import Consumer, consume
from bench.frames.errors import BrokerError
from bench.frames.message import message_frames
from bench.frames.properties import Properties
from bench.frames.template import Template

__all__ = [
    "BrokerError",
    "Client",
    "Consumer",
    "Properties",
    "Receiver",
    "Template",
    "connect",
    "consume",
    "message_frames",
]
