"""What each operation of the document does when all is well: a request for it that succeeds, with real ids and tokens.

No generator guesses a password, a link or an id that somebody has; without these, successes would go unchecked.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import httpx
from pyotp.totp import TOTP

from contracts.apps import PERMISSIONS
from tests.integration.api.authenticator import SETUP, challenge, enrol, verify_address
from tests.integration.api.keys import make_key
from tests.integration.api.payments.paying import pay
from tests.integration.api.services import GRANT, ServiceToken, register_app, service
from tests.integration.api.stripe_events import WEBHOOK, signature
from tests.integration.api.users import BASE, PASSWORD, SignedIn, login, new_email, register, sign_up
from tests.integration.auth.links import newest_link

REASON: Final = {"reason": "fuzzed"}
PACKAGE: Final[dict[str, Any]] = {
    "name": "N",
    "description": "D",
    "credits": 5,
    "priceEuroCents": 5,
    "sortOrder": 900,
    "otherPrices": [{"currency": "usd", "amount": 6, "stripePriceId": "price_1"}],
}
COOKIE_MODE: Final = {"X-Mana-Session": "cookie", "Sec-Fetch-Site": "same-origin"}
NEW_PASSWORD: Final = "a battery of correct staples"


@dataclass(frozen=True)
class Surroundings:
    """Where deeds are prepared: a client of the front, and the database as its owner sees it."""

    http: httpx.AsyncClient
    owner: asyncpg.Connection

    async def post(self, path: str, body: dict[str, Any], by: SignedIn | ServiceToken | None = None) -> Any:
        """What a preparation is answered, which must succeed."""
        answer = await self.http.post(f"{BASE}{path}", json=body, headers=by.headers if by else {})
        assert answer.is_success, answer.text
        return answer.json()


@dataclass(frozen=True)
class Deed:
    """A request; ``by`` is whose token it carries where it must be this user's, or this app's. A body in a form is an
    app's, whose own proof is in it."""

    by: SignedIn | ServiceToken | None = None
    body: dict[str, Any] | None = None
    path: dict[str, str] = field(default_factory=dict[str, str])
    headers: dict[str, str] = field(default_factory=dict[str, str])
    query: dict[str, str] = field(default_factory=dict[str, str])
    form: bool = False


Preparation = Callable[[Surroundings], Awaitable[Deed]]


async def _anybody(_there: Surroundings) -> Deed:
    return Deed()


async def _newcomer(there: Surroundings) -> Deed:
    return Deed(await sign_up(there.http))


async def _register(_there: Surroundings) -> Deed:
    return Deed(body={"email": new_email(), "password": PASSWORD, "name": "N"})


async def _log_in(there: Surroundings) -> Deed:
    user = await register(there.http)
    return Deed(body={"email": user["email"], "password": PASSWORD, "deviceId": "d", "deviceName": "D"})


async def _log_in_by_cookie(there: Surroundings) -> Deed:
    user = await register(there.http)
    return Deed(body={"email": user["email"], "password": PASSWORD}, headers=COOKIE_MODE)


async def _log_in_with_second_factor(there: Surroundings) -> Deed:
    enrolled = await enrol(there.http, there.owner)
    return Deed(body={"email": enrolled.user.email, "password": PASSWORD})


async def _answer_challenge(there: Surroundings) -> Deed:
    enrolled = await enrol(there.http, there.owner)
    given = await challenge(there.http, enrolled.user.email)
    return Deed(body={"challenge": given, "recoveryCode": enrolled.recovery_codes[0]})


async def _refresh(there: Surroundings) -> Deed:
    return Deed(body={"refreshToken": (await sign_up(there.http)).refresh_token})


async def _refresh_by_cookie(there: Surroundings) -> Deed:
    cookie = f"__Host-mana_refresh={(await sign_up(there.http)).refresh_token}"
    return Deed(headers={**COOKIE_MODE, "Cookie": cookie})


async def _validate(there: Surroundings) -> Deed:
    return Deed(body={"token": (await sign_up(there.http)).access_token})


async def _end_session(there: Surroundings) -> Deed:
    user = await sign_up(there.http)
    return Deed(user, path={"sessionId": await _session_of(there, await login(there.http, user.email))})


async def _rename(_there: Surroundings) -> Deed:
    return Deed(body={"name": "Ada"})


async def _change_password(there: Surroundings) -> Deed:
    user = await sign_up(there.http)
    return Deed(user, {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD})


async def _ask_for_mail(there: Surroundings) -> Deed:
    return Deed(body={"email": (await register(there.http))["email"]})


async def _reset_password(there: Surroundings) -> Deed:
    email = (await register(there.http))["email"]
    await there.post("/auth/password/forgot", {"email": email})
    return Deed(body={"token": await newest_link(there.owner, "reset_requested", email), "newPassword": NEW_PASSWORD})


async def _verify_address(there: Surroundings) -> Deed:
    email = (await register(there.http))["email"]
    await there.post("/auth/email/verify/resend", {"email": email})
    return Deed(body={"token": await newest_link(there.owner, "verify_requested", email)})


async def _change_address(there: Surroundings) -> Deed:
    return Deed(await sign_up(there.http), {"email": new_email()})


async def _confirm_address(there: Surroundings) -> Deed:
    user, email = await sign_up(there.http), new_email()
    await there.post("/auth/email/change", {"email": email}, user)
    return Deed(user, {"token": await newest_link(there.owner, "change_requested", email)})


async def _reauthenticate(there: Surroundings) -> Deed:
    return Deed(await sign_up(there.http), {"password": PASSWORD})


async def _set_up_factor(there: Surroundings) -> Deed:
    user = await sign_up(there.http)
    await verify_address(there.owner, user)
    return Deed(user)


async def _enable_factor(there: Surroundings) -> Deed:
    deed = await _set_up_factor(there)
    assert deed.by is not None
    made = await there.http.post(SETUP, headers=deed.by.headers)
    return Deed(deed.by, {"code": TOTP(made.json()["secret"]).now()})


async def _renew_codes(there: Surroundings) -> Deed:
    enrolled = await enrol(there.http, there.owner)
    return Deed(enrolled.user, {"code": await enrolled.unused_code(there.owner)})


async def _disable_factor(there: Surroundings) -> Deed:
    enrolled = await enrol(there.http, there.owner)
    return Deed(enrolled.user, {"recoveryCode": enrolled.recovery_codes[0]})


async def _use(there: Surroundings) -> Deed:
    return Deed(await sign_up(there.http), {"amount": 1, "appId": "chat", "description": "d", "metadata": {"a": [1]}})


async def _used(there: Surroundings) -> tuple[SignedIn, dict[str, Any]]:
    deed = await _use(there)
    assert isinstance(deed.by, SignedIn)
    assert deed.body is not None
    return deed.by, (await there.post("/credits/use", deed.body, deed.by))["transaction"]


async def _see_operation(there: Surroundings) -> Deed:
    user, transaction = await _used(there)
    return Deed(user, path={"key": transaction["idempotencyKey"]})


async def _see_transaction(there: Surroundings) -> Deed:
    user, transaction = await _used(there)
    return Deed(user, path={"transactionId": transaction["id"]})


async def _set_alert(there: Surroundings) -> Deed:
    return Deed(await sign_up(there.http), {"below": 50})


async def _make_key(there: Surroundings) -> Deed:
    body = {"name": "N", "scopes": ["credits:read"], "expiresAt": f"{datetime.now(UTC) + timedelta(days=30):%FT%TZ}"}
    return Deed(await sign_up(there.http), body)


async def _revoke_key(there: Surroundings) -> Deed:
    user = await sign_up(there.http)
    return Deed(user, path={"keyId": (await make_key(there.http, user, "credits:read")).id})


async def _ask_for_token(there: Surroundings) -> Deed:
    return Deed(body={**GRANT, **await _shown(there), "scope": "users:read"}, form=True)


async def _explain_token(there: Surroundings) -> Deed:
    return Deed(body={**await _shown(there), "token": (await sign_up(there.http)).access_token}, form=True)


async def _shown(there: Surroundings) -> dict[str, str]:
    app = await register_app(there.owner, "users:read")
    return {"client_id": app.id, "client_secret": app.secret}


async def _by_service(there: Surroundings, **body: Any) -> Deed:
    """A service's deed for a user whose account is open."""
    token = await service(there.http, there.owner, *PERMISSIONS)
    user = await sign_up(there.http)
    return Deed(token, {"userId": user.id, **body})


async def _use_by_service(there: Surroundings) -> Deed:
    return await _by_service(there, amount=1, appId="chat", description="d")


async def _refund(there: Surroundings) -> Deed:
    user, transaction = await _used(there)
    token = await service(there.http, there.owner, *PERMISSIONS)
    return Deed(token, {"userId": user.id, "transactionId": transaction["id"]})


async def _grant(there: Surroundings) -> Deed:
    return await _by_service(there, amount=1, description="d", source="bonus")


async def _adjust(there: Surroundings) -> Deed:
    return await _by_service(there, amount=-1, description="d", reason="r")


async def _see_balance_of_named(there: Surroundings) -> Deed:
    return Deed(await service(there.http, there.owner, "users:read"), query={"userId": (await sign_up(there.http)).id})


async def _see_operation_of_named(there: Surroundings) -> Deed:
    user, transaction = await _used(there)
    token = await service(there.http, there.owner, "users:read")
    return Deed(token, path={"key": transaction["idempotencyKey"]}, query={"userId": user.id})


async def _see_user(there: Surroundings) -> Deed:
    token = await service(there.http, there.owner, "users:read")
    return Deed(token, path={"userId": (await sign_up(there.http)).id})


async def _session_of(there: Surroundings, user: SignedIn) -> str:
    listed = (await there.http.get(f"{BASE}/auth/sessions", headers=user.headers)).json()
    return next(session["id"] for session in listed if session["current"])


async def _tell_of_a_payment(_there: Surroundings) -> Deed:
    body = {"id": "evt_1", "type": "charge.refunded"}
    return Deed(body=body, headers={"Stripe-Signature": signature(json.dumps(body).encode())})


async def _buy(there: Surroundings) -> Deed:
    body = {"packageId": "credits-500", "currency": "eur", "savePaymentMethod": True}
    urls = {"successUrl": "https://app.example/done", "cancelUrl": "https://app.example/"}
    return Deed(await sign_up(there.http), body | urls, headers={"Idempotency-Key": "k"})


async def _bought(there: Surroundings) -> Deed:
    """An administrator's look at a purchase that is paid."""
    deed = await _buy(there)
    assert deed.body is not None
    opened = await there.post("/credits/purchases", deed.body, deed.by)
    await pay(there.owner, opened)
    return Deed(path={"purchaseId": opened["purchase"]["id"]})


async def _give_back(there: Surroundings) -> Deed:
    deed = await _bought(there)
    return Deed(body={"amount": 100, "reason": "duplicate"}, path=deed.path, headers={"Idempotency-Key": "k"})


async def _switch_topup_on(there: Surroundings) -> Deed:
    user = await sign_up(there.http)
    order = {"packageId": "credits-500", "savePaymentMethod": True}
    opened = await there.post("/credits/purchases", order, user)
    await pay(there.owner, opened)
    return Deed(user, {"below": 100, "packageId": "credits-500", "maxPerMonth": 3})


def _on_somebody(body: dict[str, Any] | None = None) -> Preparation:
    """An administrator's deed on a user of its own."""

    async def prepare(there: Surroundings) -> Deed:
        return Deed(body=body, path={"userId": (await sign_up(there.http)).id})

    return prepare


async def _end_somebodys_session(there: Surroundings) -> Deed:
    user = await sign_up(there.http)
    return Deed(path={"userId": user.id, "sessionId": await _session_of(there, user)})


def _package_id() -> str:
    return f"fuzzed-{secrets.token_hex(6)}"


async def _declare_package(_there: Surroundings) -> Deed:
    return Deed(body=PACKAGE, path={"packageId": _package_id()})


async def _retire_package(there: Surroundings) -> Deed:
    package_id = _package_id()
    await there.owner.execute("SELECT credits.put_package($1, 'n', 'd', 1, 1, NULL, 900, '[]')", package_id)
    return Deed(path={"packageId": package_id})


def _app_id() -> str:
    return f"fuzzed-{secrets.token_hex(6)}"


async def _create_app(_there: Surroundings) -> Deed:
    body = {"id": _app_id(), "name": "N", "permissions": ["events:read"], "commandsPerSecond": 5, "unansweredMax": 6}
    return Deed(body=body)


def _on_an_app(body: dict[str, Any] | None = None) -> Preparation:
    """An administrator's deed on an app of its own, which has a secret."""

    async def prepare(there: Surroundings) -> Deed:
        app_id, secret_id = _app_id(), secrets.token_hex(6)
        async with there.owner.transaction():
            await there.owner.execute("SELECT credits.add_app($1, 'n', '{credits:use}', NULL, NULL)", app_id)
            await there.owner.execute("SELECT auth.add_app_secret($1, $2, $3)", app_id, secret_id, bytes(36))
        return Deed(body=body, path={"appId": app_id, "secretId": secret_id})

    return prepare


_AUTH, _USERS, _CREDITS = f"{BASE}/auth", f"{BASE}/admin/users", f"{BASE}/credits"

DEEDS: Final[Mapping[str, tuple[Preparation, ...]]] = {
    "GET /health/live": (_anybody,),
    "GET /health/ready": (_anybody,),
    f"GET {_AUTH}/jwks": (_anybody,),
    f"POST {_AUTH}/register": (_register,),
    f"POST {_AUTH}/login": (_log_in, _log_in_by_cookie, _log_in_with_second_factor),
    f"POST {_AUTH}/login/two-factor": (_answer_challenge,),
    f"POST {_AUTH}/refresh": (_refresh, _refresh_by_cookie),
    f"POST {_AUTH}/logout": (_newcomer,),
    f"POST {_AUTH}/logout-all": (_newcomer,),
    f"POST {_AUTH}/validate": (_validate,),
    f"GET {_AUTH}/sessions": (_anybody,),
    f"DELETE {_AUTH}/sessions/{{sessionId}}": (_end_session,),
    f"GET {_AUTH}/me": (_anybody,),
    f"PATCH {_AUTH}/me": (_rename,),
    f"DELETE {_AUTH}/me": (_newcomer,),
    f"GET {_AUTH}/me/export": (_anybody,),
    f"POST {_AUTH}/password/change": (_change_password,),
    f"POST {_AUTH}/password/forgot": (_ask_for_mail,),
    f"POST {_AUTH}/password/reset": (_reset_password,),
    f"POST {_AUTH}/email/verify": (_verify_address,),
    f"POST {_AUTH}/email/verify/resend": (_ask_for_mail,),
    f"POST {_AUTH}/email/change": (_change_address,),
    f"POST {_AUTH}/email/change/confirm": (_confirm_address,),
    f"POST {_AUTH}/reauthenticate": (_reauthenticate,),
    f"POST {_AUTH}/two-factor/setup": (_set_up_factor,),
    f"POST {_AUTH}/two-factor/enable": (_enable_factor,),
    f"POST {_AUTH}/two-factor/recovery-codes": (_renew_codes,),
    f"POST {_AUTH}/two-factor/disable": (_disable_factor,),
    f"GET {_CREDITS}/alert": (_anybody,),
    f"PUT {_CREDITS}/alert": (_set_alert,),
    f"GET {_AUTH}/api-keys": (_anybody,),
    f"POST {_AUTH}/api-keys": (_make_key,),
    f"DELETE {_AUTH}/api-keys/{{keyId}}": (_revoke_key,),
    f"POST {_AUTH}/token": (_ask_for_token,),
    f"POST {_AUTH}/introspect": (_explain_token,),
    f"GET {BASE}/users/{{userId}}": (_see_user,),
    f"GET {_CREDITS}/balance": (_anybody, _see_balance_of_named),
    f"POST {_CREDITS}/use": (_use, _use_by_service),
    f"POST {_CREDITS}/refund": (_refund,),
    f"POST {_CREDITS}/grant": (_grant,),
    f"POST {_CREDITS}/adjust": (_adjust,),
    f"GET {_CREDITS}/operations/{{key}}": (_see_operation, _see_operation_of_named),
    f"GET {_CREDITS}/transactions": (_anybody, _see_balance_of_named),
    f"GET {_CREDITS}/transactions/{{transactionId}}": (_see_transaction,),
    f"GET {_CREDITS}/lots": (_anybody,),
    f"GET {_CREDITS}/usage": (_anybody,),
    f"GET {_CREDITS}/purchases": (_anybody,),
    f"POST {_CREDITS}/purchases": (_buy,),
    f"GET {_CREDITS}/topup": (_anybody,),
    f"PUT {_CREDITS}/topup": (_switch_topup_on,),
    f"DELETE {_CREDITS}/topup": (_anybody,),
    f"GET {_CREDITS}/packages": (_anybody,),
    f"POST {WEBHOOK}": (_tell_of_a_payment,),
    f"GET {_USERS}": (_anybody,),
    f"GET {_USERS}/{{userId}}": (_on_somebody(),),
    f"PATCH {_USERS}/{{userId}}": (_on_somebody({"role": "admin"}),),
    f"POST {_USERS}/{{userId}}/ban": (_on_somebody(REASON),),
    f"POST {_USERS}/{{userId}}/unban": (_on_somebody(REASON),),
    f"GET {_USERS}/{{userId}}/sessions": (_on_somebody(),),
    f"DELETE {_USERS}/{{userId}}/sessions": (_on_somebody(),),
    f"DELETE {_USERS}/{{userId}}/sessions/{{sessionId}}": (_end_somebodys_session,),
    f"GET {BASE}/admin/events": (_anybody,),
    f"GET {BASE}/admin/apps": (_anybody,),
    f"POST {BASE}/admin/apps": (_create_app,),
    f"GET {BASE}/admin/apps/{{appId}}": (_on_an_app(),),
    f"PATCH {BASE}/admin/apps/{{appId}}": (_on_an_app({"name": "M", "permissions": [], "unansweredMax": None}),),
    f"DELETE {BASE}/admin/apps/{{appId}}": (_on_an_app(),),
    f"POST {BASE}/admin/apps/{{appId}}/secrets": (_on_an_app(),),
    f"DELETE {BASE}/admin/apps/{{appId}}/secrets/{{secretId}}": (_on_an_app(),),
    f"GET {BASE}/admin/packages": (_anybody,),
    f"PUT {BASE}/admin/packages/{{packageId}}": (_declare_package,),
    f"DELETE {BASE}/admin/packages/{{packageId}}": (_retire_package,),
    f"GET {BASE}/admin/purchases/{{purchaseId}}": (_bought,),
    f"POST {BASE}/admin/purchases/{{purchaseId}}/refund": (_give_back,),
}
"""By the operation's name; an operation of the document that is missing here has nothing to succeed with."""
