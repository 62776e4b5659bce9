"""How the API says no, in Stripe's own form."""

from typing import Any

JSON = dict[str, Any]


class ApiError(Exception):
    """An answer that is an error object.

    ``begun`` says that the endpoint had begun its work: only then is the answer kept for the idempotency key.
    """

    def __init__(self, status: int, kind: str, message: str, *, begun: bool = False, **fields: object) -> None:
        super().__init__(message)
        self.status = status
        self.begun = begun
        self.error: JSON = {"message": message, "type": kind, **{k: v for k, v in fields.items() if v is not None}}
        if "code" in self.error:
            self.error["doc_url"] = f"https://stripe.com/docs/error-codes/{str(self.error['code']).replace('_', '-')}"


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """The request cannot be understood or names what is not there; nothing was done."""
    return ApiError(400, "invalid_request_error", message, param=param, code=code)


def refused(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """The request is understood, and what it asks for cannot be done in the object's state."""
    return ApiError(400, "invalid_request_error", message, begun=True, param=param, code=code)


def missing(kind: str, name: str, *, param: str = "id", status: int = 404) -> ApiError:
    """No object of that name, in this mode."""
    message = f"No such {kind}: '{name}'"
    return ApiError(status, "invalid_request_error", message, param=param, code="resource_missing")
