"""What others have at the broker: logins made by hand, their queues and bindings. Pure.

All that is ours is made anew at each start, in its own order (docs/decisions/0014-bound-by-name.md), and apps' logins
are made of rows; so neither comes from a backup.
"""

from collections.abc import Collection, Mapping
from typing import Any

from contracts.topology import LOGINS, broker_topology, is_ours

_OURS = {login.name for login in LOGINS}
_EXCHANGES = {exchange.name for exchange in broker_topology(1).exchanges}


def of_others(held: Mapping[str, Any], vhost: str, made: Collection[str]) -> dict[str, list[Any]]:
    """The part of a broker's definitions that a new broker of ours lacks, in the form that it imports.

    `made`: logins that are made anew without a backup, besides those of our processes: the administrator's and apps'.
    """
    users = [user for user in held["users"] if user["name"] not in _OURS and user["name"] not in made]
    names = {user["name"] for user in users}
    queues = [queue for queue in held["queues"] if queue["vhost"] == vhost and not is_ours(queue["name"])]
    exchanges = [one for one in held["exchanges"] if one["vhost"] == vhost and one["name"] not in _EXCHANGES]
    targets = {queue["name"] for queue in queues} | {exchange["name"] for exchange in exchanges}
    return {
        "users": users,
        "permissions": [one for one in held["permissions"] if one["user"] in names and one["vhost"] == vhost],
        "topic_permissions": [
            one for one in held["topic_permissions"] if one["user"] in names and one["vhost"] == vhost
        ],
        "queues": queues,
        "exchanges": exchanges,
        "bindings": [one for one in held["bindings"] if one["vhost"] == vhost and one["destination"] in targets],
    }
