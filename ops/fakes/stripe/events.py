"""Events: a snapshot of an object at the moment when something happened to it."""

import copy

from ops.fakes.stripe.account import API_VERSION, Account, Cause
from ops.fakes.stripe.call import Call, page
from ops.fakes.stripe.errors import JSON

_KEPT_SECONDS = 30 * 86_400


def emit(account: Account, kind: str, thing: JSON, cause: Cause, before: JSON | None = None) -> JSON:
    """Notes an event and sends it; ``before`` are the fields that an update changed, as they were."""
    data: JSON = {"object": copy.deepcopy(thing)}
    if before:
        data["previous_attributes"] = copy.deepcopy(before)
    return _send(account, kind, data, {"id": cause.request, "idempotency_key": cause.idempotency_key}, {})


def forge(account: Account, kind: str, thing: JSON, fields: JSON) -> JSON:
    """An event that nothing here caused, with fields of the caller's choosing (``account``, ``livemode``)."""
    return _send(account, kind, {"object": thing}, {"id": None, "idempotency_key": None}, fields)


def _send(account: Account, kind: str, data: JSON, request: JSON, fields: JSON) -> JSON:
    event: JSON = {
        **account.base("evt", "event"),
        "api_version": API_VERSION,
        "data": data,
        "pending_webhooks": 0,
        "request": request,
        "type": kind,
        **fields,
    }
    account.keep(event)
    account.tell(event)
    return event


def retrieve(call: Call) -> JSON:
    """GET /v1/events/{id}"""
    return call.account.get("event", call.ids["id"])


def listed(call: Call) -> JSON:
    """GET /v1/events: of the last 30 days"""
    kind, kinds = call.params.text("type"), call.params.words("types")
    wanted = ([kind] if kind else []) + kinds
    undelivered = call.params.flag("delivery_success")
    oldest = call.account.clock.now() - _KEPT_SECONDS
    rows = [
        event
        for event in call.account.all("event")
        if event["created"] > oldest
        and (not wanted or _matches(event["type"], wanted))
        and (undelivered is None or (event["pending_webhooks"] == 0) == undelivered)
    ]
    return page(call, rows)


def _matches(kind: str, wanted: list[str]) -> bool:
    """A name may end in a wildcard: ``charge.*``."""
    return any(kind == one or (one.endswith(".*") and kind.startswith(one[:-1])) for one in wanted)
