"""The page on which the buyer pays: without scripts, so that a person, a browser and a plain form can all use it."""

from html import escape
from string import Template
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from ops.fakes.stripe import cards, checkout
from ops.fakes.stripe.account import Account
from ops.fakes.stripe.cards import Behaviour
from ops.fakes.stripe.errors import JSON

_HEADERS = {"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
_FRAME = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>$title</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 2rem auto; padding: 0 1rem; color: #1a1f36 }
label { display: block; margin: .8rem 0 .2rem } input:not([type=radio]) { width: 100%; font: inherit; padding: .4rem;
box-sizing: border-box } fieldset { border: 1px solid #ccd; margin: 1rem 0 } .total { font-size: 1.6rem }
.error { color: #a41c1c } .note { color: #667; font-size: .85rem } button, .button { font: inherit; padding: .5rem 1rem;
margin: 1rem .5rem 0 0 } fieldset label { display: inline; margin: 0 1rem 0 .2rem }
</style></head>
<body><p class="note">A stand-in for Stripe: no money moves here.</p>
$body
</body></html>
""")
_FORM = Template("""<h1>Pay</h1>
$lines
<p class="total" id="total">$total</p>
$error
<form method="post" id="payment-form">
<label for="email">Email</label><input id="email" name="email" type="email" autocomplete="email" value="$email">
<fieldset><legend>Payment method</legend>$kinds</fieldset>
<label for="number">Card number</label>
<input id="number" name="number" inputmode="numeric" autocomplete="cc-number" value="$number">
<label for="expiry">Expiry (MM/YY)</label><input id="expiry" name="expiry" autocomplete="cc-exp" value="$expiry">
<label for="cvc">CVC</label><input id="cvc" name="cvc" inputmode="numeric" autocomplete="cc-csc" value="$cvc">
$iban
<label for="name">Name</label><input id="name" name="name" autocomplete="name" value="$name">
<button id="pay" type="submit">Pay $total</button>
$cancel
</form>
<p class="note">4242 4242 4242 4242 succeeds, 4000 0000 0000 0002 is declined.</p>""")
_IBAN = Template("""<label for="iban">IBAN</label><input id="iban" name="iban" value="$iban">
<p class="note">AT611904300234573201 succeeds later, AT861904300235473202 fails later.</p>""")
_KINDS = {"card": "Card", "sepa_debit": "SEPA Direct Debit"}
# Stripe's list of those without a smaller unit, but for UGX, which Stripe wants in hundredths all the same.
_ZERO_DECIMAL = frozenset(
    {"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"}
)
_FIELDS = ("email", "number", "expiry", "cvc", "name", "iban")


def routes(accounts: tuple[Account, Account]) -> list[Route]:
    """The page and where its form goes."""

    async def show(request: Request) -> Response:
        found = _session(accounts, request)
        return _missing() if found is None else _page(*found, {}, None)

    async def submit(request: Request) -> Response:
        found = _session(accounts, request)
        if found is None:
            return _missing()
        account, session = found
        body = (await request.body()).decode(errors="replace")
        typed = {name: value.strip() for name, value in parse_qsl(body) if name in (*_FIELDS, "method")}
        if session["status"] == "complete":
            return RedirectResponse(checkout.success_url(session), 303)
        if session["status"] != "open":
            return _page(account, session, typed, None)
        error = _paid(account, session, typed)
        if error is not None:
            return _page(account, session, typed, error)
        return RedirectResponse(checkout.success_url(session), 303)

    return [
        Route("/c/pay/{id}", show, methods=["GET"]),
        Route("/c/pay/{id}", submit, methods=["POST"]),
    ]


def _session(accounts: tuple[Account, Account], request: Request) -> tuple[Account, JSON] | None:
    for account in accounts:
        session = account.find(request.path_params["id"])
        if session is not None and session["object"] == "checkout.session":
            return account, session
    return None


def _paid(account: Account, session: JSON, typed: dict[str, str]) -> str | None:
    """Why not, where it was not."""
    kind = typed.get("method", "card")
    if kind not in session["payment_method_types"]:
        return "Choose a payment method."
    method = _method(kind, typed)
    if method is None:
        return "Your card number is invalid." if kind == "card" else "The IBAN you entered is invalid."
    buyer = checkout.Buyer(method, typed.get("email") or None, typed.get("name") or None)
    return checkout.pay(account, session, buyer)


def _method(kind: str, typed: dict[str, str]) -> Behaviour | None:
    return cards.card(typed.get("number", "")) if kind == "card" else cards.bank_account(typed.get("iban", ""))


def _page(account: Account, session: JSON, typed: dict[str, str], error: str | None) -> Response:
    if session["status"] == "open":
        return _html("Checkout", _form(account, session, typed, error), 200 if error is None else 402)
    if session["status"] == "complete":
        return _html("Paid", "<h1>Paid</h1><p>This checkout is complete.</p>")
    return _html("Expired", "<h1>Expired</h1><p>This checkout has expired. Begin again where you came from.</p>")


def _form(account: Account, session: JSON, typed: dict[str, str], error: str | None) -> str:
    values = {name: escape(typed.get(name, "")) for name in _FIELDS}
    values["email"] = values["email"] or escape(session["customer_email"] or "")
    kinds: list[str] = [kind for kind in session["payment_method_types"] if kind in _KINDS]
    chosen = typed.get("method", "card")
    lines = "".join(
        f"<p>{escape(str(item['description']))}, {item['quantity']} of {_money(item['price']['unit_amount'], item)}</p>"
        for item in account.line_items[session["id"]]
    )
    cancel = session["cancel_url"]
    return _FORM.substitute(
        values,
        lines=lines,
        total=_money(session["amount_total"], session),
        error=f'<p class="error" id="error" role="alert">{escape(error)}</p>' if error else "",
        kinds="".join(_radio(kind, checked=kind == chosen) for kind in kinds),
        iban=_IBAN.substitute(iban=values["iban"]) if "sepa_debit" in kinds else "",
        cancel=f'<a class="button" id="cancel" href="{escape(cancel)}">Cancel</a>' if cancel else "",
    )


def _radio(kind: str, *, checked: bool) -> str:
    mark = " checked" if checked else ""
    field = f'<input type="radio" id="method-{kind}" name="method" value="{kind}"{mark}>'
    return f'{field}<label for="method-{kind}">{_KINDS[kind]}</label>'


def _money(amount: int, of: JSON) -> str:
    currency = str(of["currency"])
    shown = str(amount) if currency in _ZERO_DECIMAL else f"{amount // 100}.{amount % 100:02d}"
    return f"{shown} {currency.upper()}"


def _missing() -> Response:
    return _html("Not found", "<h1>Not found</h1><p>There is no such checkout.</p>", 404)


def _html(title: str, body: str, status: int = 200) -> Response:
    return HTMLResponse(_FRAME.substitute(title=title, body=body), status, _HEADERS)
