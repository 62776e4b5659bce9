"""Products and prices."""

from ops.fakes.stripe.account import Account, change
from ops.fakes.stripe.call import Call, page
from ops.fakes.stripe.errors import JSON, invalid
from ops.fakes.stripe.events import emit
from ops.fakes.stripe.forms import Params, merged

_LOOKUP_KEYS_MAX = 10


def new_product(account: Account, params: Params, **fields: object) -> JSON:
    """A product out of the parameters that describe one; it is not kept yet."""
    return {
        **account.base("prod", "product"),
        "active": True,
        "default_price": None,
        "description": params.text("description") or None,
        "images": [],
        "marketing_features": [],
        "metadata": merged({}, params.metadata()),
        "name": params.need("name"),
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": params.text("statement_descriptor"),
        "tax_code": params.text("tax_code"),
        "type": "service",
        "unit_label": params.text("unit_label"),
        "updated": account.clock.now(),
        "url": params.text("url"),
        **fields,
    }


def create_product(call: Call) -> JSON:
    """POST /v1/products"""
    account, params = call.account, call.params
    product = new_product(account, params)
    if (name := params.text("id")) is not None:
        product["id"] = name
    active = params.flag("active")
    params.done()
    if account.find(product["id"]):
        raise invalid(f"Product already exists with id {product['id']}", code="resource_already_exists")
    product["active"] = active is not False
    emit(account, "product.created", account.keep(product), call.cause)
    return product


def update_product(call: Call) -> JSON:
    """POST /v1/products/{id}"""
    account, params = call.account, call.params
    product = account.get("product", call.ids["id"])
    fields: JSON = {name: params.need(name) for name in ("name", "default_price") if name in params}
    fields |= {name: params.text(name) or None for name in ("description", "unit_label", "url") if name in params}
    if (active := params.flag("active")) is not None:
        fields["active"] = active
    fields["metadata"] = merged(product["metadata"], params.metadata())
    params.done()
    if "default_price" in fields:
        account.get("price", fields["default_price"], param="default_price", status=400)
    before = change(product, **fields)
    if before:
        before |= change(product, updated=account.clock.now())
        emit(account, "product.updated", product, call.cause, before)
    return product


def retrieve_product(call: Call) -> JSON:
    """GET /v1/products/{id}"""
    return call.account.get("product", call.ids["id"])


def list_products(call: Call) -> JSON:
    """GET /v1/products"""
    ids, active = call.params.words("ids"), call.params.flag("active")
    rows = [
        product
        for product in call.account.all("product")
        if (not ids or product["id"] in ids) and (active is None or product["active"] == active)
    ]
    return page(call, rows)


def new_price(account: Account, product: JSON, currency: str, unit_amount: int, **fields: object) -> JSON:
    """A one-time price; it is not kept yet."""
    return {
        **account.base("price", "price"),
        "active": True,
        "billing_scheme": "per_unit",
        "currency": currency,
        "custom_unit_amount": None,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": product["id"],
        "recurring": None,
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "one_time",
        "unit_amount": unit_amount,
        "unit_amount_decimal": str(unit_amount),
        **fields,
    }


def currency(params: Params) -> str:
    """A currency's code, as Stripe writes it."""
    code = params.need("currency").lower()
    if len(code) != 3 or not code.isalpha():
        raise invalid(f"Invalid currency: {code}.", param=params.name("currency"))
    return code


def amount(params: Params, name: str, least: int = 0) -> int:
    """An amount in the currency's smallest unit, which has to be given."""
    value = params.whole(name, least)
    if value is None:
        raise params.lacking(name)
    return value


def create_price(call: Call) -> JSON:
    """POST /v1/prices"""
    account, params = call.account, call.params
    made: JSON | None = None
    if "product_data" in params:
        product = made = new_product(account, params.inner("product_data"))
    else:
        product = account.get("product", params.need("product"), param="product", status=400)
    price = new_price(
        account,
        product,
        currency(params),
        amount(params, "unit_amount"),
        nickname=params.text("nickname"),
        metadata=merged({}, params.metadata()),
        lookup_key=params.text("lookup_key") or None,
        tax_behavior=params.word("tax_behavior", "inclusive", "exclusive", "unspecified") or "unspecified",
        active=params.flag("active") is not False,
    )
    transfer = params.flag("transfer_lookup_key")
    params.done()
    _claim(account, price, price["lookup_key"], transfer=bool(transfer))
    if made is not None:
        emit(account, "product.created", account.keep(made), call.cause)
    emit(account, "price.created", account.keep(price), call.cause)
    return price


def _claim(account: Account, price: JSON, key: str | None, *, transfer: bool) -> None:
    """A lookup key belongs to one price; another gets it only where the client says that it is to move."""
    for other in account.all("price"):
        if key is not None and other["lookup_key"] == key and other is not price:
            if not transfer:
                raise invalid(f"A price (`{other['id']}`) already uses that lookup key.", param="lookup_key")
            other["lookup_key"] = None


def update_price(call: Call) -> JSON:
    """POST /v1/prices/{id}"""
    account, params = call.account, call.params
    price = account.get("price", call.ids["id"])
    fields: JSON = {name: params.text(name) or None for name in ("nickname", "lookup_key") if name in params}
    if (active := params.flag("active")) is not None:
        fields["active"] = active
    if (tax := params.word("tax_behavior", "inclusive", "exclusive", "unspecified")) is not None:
        fields["tax_behavior"] = tax
    fields["metadata"] = merged(price["metadata"], params.metadata())
    transfer = params.flag("transfer_lookup_key")
    params.done()
    _claim(account, price, fields.get("lookup_key"), transfer=bool(transfer))
    if before := change(price, **fields):
        emit(account, "price.updated", price, call.cause, before)
    return price


def retrieve_price(call: Call) -> JSON:
    """GET /v1/prices/{id}"""
    return call.account.get("price", call.ids["id"], param="price")


def list_prices(call: Call) -> JSON:
    """GET /v1/prices"""
    params = call.params
    keys, active = params.words("lookup_keys"), params.flag("active")
    product, code = params.text("product"), params.text("currency")
    kind = params.word("type", "one_time", "recurring")
    if len(keys) > _LOOKUP_KEYS_MAX:
        raise invalid("You may only specify up to 10 of these: lookup_keys.", param="lookup_keys")
    rows = [
        price
        for price in call.account.all("price")
        if (not keys or price["lookup_key"] in keys)
        and (active is None or price["active"] == active)
        and product in (None, price["product"])
        and code in (None, price["currency"])
        and kind in (None, price["type"])
    ]
    return page(call, rows)
