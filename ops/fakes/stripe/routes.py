"""Which endpoint answers which request."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ops.fakes.stripe import (
    balance,
    catalog,
    charges,
    checkout,
    customers,
    disputes,
    endpoints,
    events,
    intents,
    refunds,
)
from ops.fakes.stripe.answering import Api
from ops.fakes.stripe.call import Call, Endpoint
from ops.fakes.stripe.errors import JSON, ApiError

_SESSION = "/v1/checkout/sessions/{id}"
_INTENT = "/v1/payment_intents/{id}"
_METHOD = "/v1/payment_methods/{id}"
_ENDPOINT = "/v1/webhook_endpoints/{id}"
_TABLE: list[tuple[str, str, Endpoint]] = [
    ("POST", "/v1/products", catalog.create_product),
    ("GET", "/v1/products", catalog.list_products),
    ("GET", "/v1/products/{id}", catalog.retrieve_product),
    ("POST", "/v1/products/{id}", catalog.update_product),
    ("POST", "/v1/prices", catalog.create_price),
    ("GET", "/v1/prices", catalog.list_prices),
    ("GET", "/v1/prices/{id}", catalog.retrieve_price),
    ("POST", "/v1/prices/{id}", catalog.update_price),
    ("POST", "/v1/customers", customers.create),
    ("GET", "/v1/customers", customers.listed),
    ("GET", "/v1/customers/{id}", customers.retrieve),
    ("POST", "/v1/customers/{id}", customers.update),
    ("DELETE", "/v1/customers/{id}", customers.delete),
    ("GET", "/v1/customers/{customer}/payment_methods", customers.list_methods),
    ("GET", "/v1/customers/{customer}/payment_methods/{id}", customers.retrieve_method),
    ("GET", "/v1/payment_methods", customers.list_methods),
    ("GET", _METHOD, customers.retrieve_method),
    ("POST", f"{_METHOD}/attach", customers.attach),
    ("POST", f"{_METHOD}/detach", customers.detach),
    ("POST", "/v1/checkout/sessions", checkout.create),
    ("GET", "/v1/checkout/sessions", checkout.listed),
    ("GET", _SESSION, checkout.retrieve),
    ("GET", f"{_SESSION}/line_items", checkout.line_items),
    ("POST", f"{_SESSION}/expire", checkout.expire_asked),
    ("POST", "/v1/payment_intents", intents.create),
    ("GET", "/v1/payment_intents", intents.listed),
    ("GET", _INTENT, intents.retrieve),
    ("POST", f"{_INTENT}/confirm", intents.confirm),
    ("POST", f"{_INTENT}/cancel", intents.cancel),
    ("GET", "/v1/charges", charges.listed),
    ("GET", "/v1/charges/{id}", charges.retrieve),
    ("POST", "/v1/refunds", refunds.create),
    ("GET", "/v1/refunds", refunds.listed),
    ("GET", "/v1/refunds/{id}", refunds.retrieve),
    ("POST", "/v1/refunds/{id}/cancel", refunds.cancel),
    ("GET", "/v1/disputes", disputes.listed),
    ("GET", "/v1/disputes/{id}", disputes.retrieve),
    ("POST", "/v1/disputes/{id}/close", disputes.close),
    ("GET", "/v1/balance_transactions", balance.listed),
    ("GET", "/v1/balance_transactions/{id}", balance.retrieve),
    ("GET", "/v1/events", events.listed),
    ("GET", "/v1/events/{id}", events.retrieve),
    ("POST", "/v1/webhook_endpoints", endpoints.create),
    ("GET", "/v1/webhook_endpoints", endpoints.listed),
    ("GET", _ENDPOINT, endpoints.retrieve),
    ("POST", _ENDPOINT, endpoints.update),
    ("DELETE", _ENDPOINT, endpoints.delete),
]


def routes(api: Api) -> list[Route]:
    """The API's own routes; anything else below ``/v1`` is refused in Stripe's form."""
    table = [Route(path, api.endpoint(act), methods=[method]) for method, path, act in _TABLE]
    return [*table, Route("/v1/{rest:path}", _unknown(api), methods=["GET", "POST", "PUT", "PATCH", "DELETE"])]


def _unknown(api: Api):
    async def refuse(request: Request) -> Response:
        def act(call: Call) -> JSON:
            message = f"Unrecognized request URL ({request.method}: {call.path})."
            raise ApiError(404, "invalid_request_error", message)

        return await api.endpoint(act)(request)

    return refuse
