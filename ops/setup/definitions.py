"""The topology as RabbitMQ's definitions: `python -m ops.setup.definitions` writes `ops/rabbitmq/definitions.json`."""

import json
from dataclasses import asdict
from typing import Any

from contracts.topology import PARTITIONS_DEFAULT, broker_topology
from ops.place import CHECKOUT
from ops.topology import policy_body

FILE = CHECKOUT / "ops" / "rabbitmq" / "definitions.json"
_VHOST = "/"


def text() -> str:
    """The file's content: bindings in the order in which they are to be made, and no logins, which are secret."""
    return json.dumps(_definitions(), indent=1) + "\n"


def _definitions() -> dict[str, Any]:
    topology = broker_topology(PARTITIONS_DEFAULT)
    return {
        "vhosts": [{"name": _VHOST}],
        "policies": [{"vhost": _VHOST, "name": policy.name, **policy_body(policy)} for policy in topology.policies],
        "parameters": [
            {"component": "operator_policy", "vhost": _VHOST, "name": policy.name, "value": policy_body(policy)}
            for policy in topology.operator_policies
        ],
        "queues": [
            {"vhost": _VHOST, "durable": True, "auto_delete": False, **asdict(queue)} for queue in topology.queues
        ],
        "exchanges": [
            {"vhost": _VHOST, "auto_delete": False, "internal": False, **asdict(exchange)}
            for exchange in topology.exchanges
        ],
        "bindings": [
            {
                "source": binding.exchange,
                "vhost": _VHOST,
                "destination": binding.queue,
                "destination_type": "queue",
                "routing_key": binding.routing_key,
                "arguments": binding.arguments,
            }
            for binding in topology.bindings
        ],
    }


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
