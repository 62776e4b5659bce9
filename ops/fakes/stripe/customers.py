"""Customers, and the payment methods that are kept for them."""

from ops.fakes.stripe.account import Account, Cause, change, new_id
from ops.fakes.stripe.call import Call, page
from ops.fakes.stripe.cards import TOKENS, Behaviour, card
from ops.fakes.stripe.errors import JSON, invalid, missing, refused
from ops.fakes.stripe.events import emit
from ops.fakes.stripe.forms import Params, merged

_NO_ADDRESS = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
_TEXTS = ("description", "email", "name", "phone")


def billing_details(email: str | None = None, name: str | None = None) -> JSON:
    """What is known of who pays."""
    return {"address": dict(_NO_ADDRESS), "email": email, "name": name, "phone": None, "tax_id": None}


def new_customer(account: Account, **fields: object) -> JSON:
    """A customer; it is not kept yet."""
    return {
        **account.base("cus", "customer"),
        "address": None,
        "balance": 0,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": new_id("", 7)[1:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
        **fields,
    }


def create(call: Call) -> JSON:
    """POST /v1/customers"""
    account, params = call.account, call.params
    fields = {**_given(params), "metadata": merged({}, params.metadata())}
    params.done()
    customer = account.keep(new_customer(account, **fields))
    emit(account, "customer.created", customer, call.cause)
    return customer


def _given(params: Params) -> JSON:
    fields: JSON = {name: params.text(name) or None for name in _TEXTS if name in params}
    if "preferred_locales" in params:
        fields["preferred_locales"] = params.words("preferred_locales")
    return fields


def update(call: Call) -> JSON:
    """POST /v1/customers/{id}"""
    account, params = call.account, call.params
    customer = account.get("customer", call.ids["id"])
    fields = {**_given(params), "metadata": merged(customer["metadata"], params.metadata())}
    settings = dict(customer["invoice_settings"])
    if method := params.inner("invoice_settings").text("default_payment_method"):
        settings["default_payment_method"] = method
    params.done()
    if method:
        owned_method(account, method, customer["id"], "invoice_settings[default_payment_method]")
    if before := change(customer, **fields, invoice_settings=settings):
        emit(account, "customer.updated", customer, call.cause, before)
    return customer


def retrieve(call: Call) -> JSON:
    """GET /v1/customers/{id}"""
    name = call.ids["id"]
    return _deleted(name) if name in call.account.deleted_customers else call.account.get("customer", name)


def delete(call: Call) -> JSON:
    """DELETE /v1/customers/{id}; its payment methods pay nothing any more, its Checkout sessions stay open"""
    account = call.account
    call.params.done()
    customer = account.get("customer", call.ids["id"])
    for method in account.all("payment_method"):
        if method["customer"] == customer["id"]:
            emit(account, "payment_method.detached", method, call.cause, change(method, customer=None))
    account.drop(customer)
    account.deleted_customers.add(customer["id"])
    emit(account, "customer.deleted", customer, call.cause)
    return _deleted(customer["id"])


def _deleted(name: str) -> JSON:
    return {"id": name, "object": "customer", "deleted": True}


def listed(call: Call) -> JSON:
    """GET /v1/customers"""
    email = call.params.text("email")
    return page(call, [one for one in call.account.all("customer") if email in (None, one["email"])])


def new_method(account: Account, behaviour: Behaviour, email: str | None = None) -> JSON:
    """A payment method that behaves as its number says, of no customer yet."""
    method: JSON = {
        **account.base("pm", "payment_method"),
        "allow_redisplay": "limited",
        "billing_details": billing_details(email),
        "customer": None,
        "customer_account": None,
        "metadata": {},
        "type": behaviour.kind,
        behaviour.kind: _card(behaviour) if behaviour.kind == "card" else _bank_account(behaviour),
    }
    account.behaviour[method["id"]] = behaviour
    return account.keep(method)


def _card(behaviour: Behaviour) -> JSON:
    return {
        "brand": behaviour.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "US",
        "display_brand": behaviour.brand,
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": f"Card{behaviour.number[-12:]}",
        "funding": "credit",
        "generated_from": None,
        "last4": behaviour.number[-4:],
        "networks": {"available": [behaviour.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def _bank_account(behaviour: Behaviour) -> JSON:
    return {
        "bank_code": behaviour.number[4:9],
        "branch_code": "",
        "country": behaviour.number[:2],
        "fingerprint": f"Bank{behaviour.number[-12:]}",
        "generated_from": {"charge": None, "setup_attempt": None},
        "last4": behaviour.number[-4:],
    }


def method_named(account: Account, name: str, param: str = "payment_method") -> JSON:
    """A payment method by its id, or a new one by one of Stripe's names for test cards."""
    if name in TOKENS:
        behaviour = card(TOKENS[name])
        if behaviour is None or account.livemode:
            raise missing("PaymentMethod", name, param=param, status=400)
        return new_method(account, behaviour)
    return account.get("payment_method", name, param=param, status=400)


def owned_method(account: Account, name: str, customer: str | None, param: str) -> JSON:
    """A payment method that belongs to the customer who is to pay with it."""
    method = method_named(account, name, param)
    if method["customer"] is not None and method["customer"] != customer:
        raise invalid("The payment method belongs to another customer than the one that is given.", param=param)
    return method


def keep_for(account: Account, method: JSON, customer: str, cause: Cause) -> None:
    """Attaches a payment method to a customer."""
    if method["customer"] != customer:
        method["customer"] = customer
        emit(account, "payment_method.attached", method, cause)


def attach(call: Call) -> JSON:
    """POST /v1/payment_methods/{id}/attach"""
    account, params = call.account, call.params
    customer = account.get("customer", params.need("customer"), param="customer", status=400)
    params.done()
    method = method_named(account, call.ids["id"])
    if method["customer"] not in (None, customer["id"]):
        raise refused("The payment method you provided has already been attached to a customer.")
    keep_for(account, method, customer["id"], call.cause)
    return method


def detach(call: Call) -> JSON:
    """POST /v1/payment_methods/{id}/detach"""
    call.params.done()
    method = call.account.get("payment_method", call.ids["id"])
    if method["customer"] is None:
        raise refused("The payment method you provided is not attached to a customer so detachment is impossible.")
    emit(call.account, "payment_method.detached", method, call.cause, change(method, customer=None))
    return method


def retrieve_method(call: Call) -> JSON:
    """GET /v1/payment_methods/{id}, and the same below a customer"""
    method = call.account.get("payment_method", call.ids["id"])
    if call.ids.get("customer", method["customer"]) != method["customer"]:
        raise missing("PaymentMethod", method["id"])
    return method


def list_methods(call: Call) -> JSON:
    """GET /v1/payment_methods, and the same below a customer"""
    customer = call.ids.get("customer") or call.params.text("customer")
    kind = call.params.text("type")
    rows = [
        method
        for method in call.account.all("payment_method")
        if method["customer"] is not None and customer in (None, method["customer"]) and kind in (None, method["type"])
    ]
    return page(call, rows)
