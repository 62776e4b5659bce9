"""What a Checkout session is for: its line items, and the session object itself."""

from ops.fakes.stripe import catalog
from ops.fakes.stripe.account import Account, new_id
from ops.fakes.stripe.call import listing
from ops.fakes.stripe.errors import JSON, invalid
from ops.fakes.stripe.forms import Params

_ID_LENGTH = 58


def line_item(account: Account, params: Params) -> JSON:
    """One line: a price that is there, or one that is made for this session alone."""
    if "price_data" in params:
        price, product = _price_of_data(account, params.inner("price_data"))
    else:
        price = account.get("price", params.need("price"), param=params.name("price"), status=400)
        product = account.get("product", price["product"])
    quantity = params.whole("quantity", 1) or 1
    for inactive, what in ((price, "price"), (product, "product")):
        if not inactive["active"] and "price" in params:
            message = f"The {what} specified is inactive. This field only accepts active {what}s."
            raise invalid(message, param=params.name("price"))
    total = price["unit_amount"] * quantity
    return {
        "id": new_id("li"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": total,
        "amount_tax": 0,
        "amount_total": total,
        "currency": price["currency"],
        "description": product["name"],
        "metadata": {},
        "price": price,
        "quantity": quantity,
    }


def _price_of_data(account: Account, params: Params) -> tuple[JSON, JSON]:
    if "product_data" in params:
        product = account.keep(catalog.new_product(account, params.inner("product_data"), active=False))
    else:
        product = account.get("product", params.need("product"), param=params.name("product"), status=400)
    currency, amount = catalog.currency(params), catalog.amount(params, "unit_amount")
    return account.keep(catalog.new_price(account, product, currency, amount, active=False)), product


def line_items_of(account: Account, session: JSON) -> JSON:
    """The list that a session shows where it is asked for."""
    return listing(f"/v1/checkout/sessions/{session['id']}/line_items", account.line_items[session["id"]])


def new_session(account: Account, currency: str, total: int, **fields: object) -> JSON:
    """An open session over so much; it is not kept yet."""
    name = new_id("cs_live" if account.livemode else "cs_test", _ID_LENGTH)
    return {
        **account.base("cs", "checkout.session"),
        "id": name,
        "adaptive_pricing": {"enabled": False},
        "after_expiration": None,
        "allow_promotion_codes": None,
        "amount_subtotal": total,
        "amount_total": total,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": None,
        "cancel_url": None,
        "client_reference_id": None,
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "currency": currency,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": dict.fromkeys(("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")),
        "customer": None,
        "customer_account": None,
        "customer_creation": "if_required",
        "customer_details": None,
        "customer_email": None,
        "discounts": [],
        "expires_at": 0,
        "integration_identifier": None,
        "invoice": None,
        "invoice_creation": {
            "enabled": False,
            "invoice_data": {
                "account_tax_ids": None,
                "custom_fields": None,
                "description": None,
                "footer": None,
                "issuer": None,
                "metadata": {},
                "rendering_options": None,
            },
        },
        "locale": None,
        "managed_payments": {"enabled": False},
        "metadata": {},
        "mode": "payment",
        "origin_context": None,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": None,
        "subscription": None,
        "success_url": None,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{account.url}/c/pay/{name}",
        "wallet_options": None,
        **fields,
    }


def customer_details(email: str | None, name: str | None) -> JSON:
    """What the buyer typed on the page."""
    return {
        "address": dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state")),
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }
