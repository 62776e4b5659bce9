"""Idempotency keys: the same request is done once, and answered the same each time."""

from dataclasses import dataclass, field

from ops.fakes.stripe.clock import Clock
from ops.fakes.stripe.errors import JSON, ApiError

_KEPT_SECONDS = 86_400
_LENGTH_MAX = 255


@dataclass
class Answer:
    """What the first request was answered."""

    status: int
    body: bytes


@dataclass
class Request:
    """A request with a key: what it asked, and its answer once there is one."""

    path: str
    parameters: JSON
    name: str
    """Of the request itself: ``req_…``"""
    at: int
    answer: Answer | None = None


@dataclass
class Keys:
    """All keys of one account and mode of the last day."""

    clock: Clock
    _kept: dict[str, Request] = field(default_factory=dict[str, Request])

    def begin(self, key: str, path: str, parameters: JSON, name: str) -> Request:
        """The first request with this key: it has its answer already, or it is ours to do."""
        if len(key) > _LENGTH_MAX:
            raise ApiError(400, "invalid_request_error", "Idempotency keys can be up to 255 characters long.")
        first = self._kept.get(key)
        if first is None or first.at + _KEPT_SECONDS <= self.clock.now():
            self._kept[key] = mine = Request(path, parameters, name, self.clock.now())
            return mine
        if first.path != path:
            message = (
                "Keys for idempotent requests can only be used for the same endpoint they were first used for "
                f"('{path}' does not match the first request's endpoint '{first.path}'). "
                f"Try using a key other than '{key}' if you meant to execute a different request."
            )
            raise ApiError(400, "idempotency_error", message)
        if first.parameters != parameters:
            message = (
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request."
            )
            raise ApiError(400, "idempotency_error", message)
        if first.answer is None:
            message = (
                "There is currently another in-progress request using this Idempotent Key (that probably means you "
                f"submitted twice, and the other request is still going through): {key}. Please try again later."
            )
            raise ApiError(409, "idempotency_error", message, code="idempotency_key_in_use")
        return first

    def forget(self, key: str) -> None:
        """The request never came to the endpoint's work: the key is free for another try."""
        del self._kept[key]
