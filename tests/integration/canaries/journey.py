"""A journey over every route of the front, with recognisable secrets at each step, right and wrong ones."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import asyncpg
from pyotp.totp import TOTP

from contracts.apps import PERMISSIONS
from tests.integration.api.services import register_app
from tests.integration.api.users import new_email
from tests.integration.canaries.traveller import Traveller
from tests.integration.workers.running import until

SITE: Final = "https://mana.example.com"
TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
REQUEST: Final = "canary-request"
_BROWSER: Final = {"x-mana-session": "cookie", "origin": SITE, "sec-fetch-site": "same-origin"}

Link = Callable[[str, str], Awaitable[str]]
"""Waits for a mail to an address, of a kind, and takes the token of its link out of it."""


@dataclass
class Person:
    """Somebody with an account, and what proves it at the moment."""

    email: str
    password: str
    id: str = ""
    device: str = ""
    access: str = ""
    refresh: str = ""
    totp: TOTP | None = None
    recovery: list[str] = field(default_factory=list[str])

    @property
    def credentials(self) -> dict[str, str]:
        """What the person signs in with."""
        return {"email": self.email, "password": self.password, "deviceId": self.device}


async def register(by: Traveller) -> Person:
    """A new person, signed in from a device of their own."""
    person = Person(new_email(), by.typed("password"), device=by.typed("device id", secrets.token_urlsafe(24)))
    body = {"email": person.email, "password": person.password, "name": "Ada"}
    person.id = (await by.done("POST", "/auth/register", body))["id"]
    await sign_in(by, person)
    return person


async def sign_in(by: Traveller, person: Person) -> None:
    """With the password alone."""
    person.access, person.refresh = by.tokens(await by.ask("POST", "/auth/login", person.credentials))


async def try_wrongly(by: Traveller, person: Person) -> None:
    """Wrong passwords; passwords where they do not belong; what cannot be read."""
    wrong = by.typed("wrong password")
    for email in (person.email, new_email()):
        await by.ask("POST", "/auth/login", {"email": email, "password": wrong})
    slipped = by.typed("password typed as an address", f"Canary{secrets.token_hex(12)}")
    looks_like_one = by.typed("password that looks like an address", f"Canary{secrets.token_hex(12)}@Example.com")
    for email in (slipped, looks_like_one):
        await by.ask("POST", "/auth/login", {"email": email, "password": wrong})
    for template in ("/auth/password/forgot", "/auth/email/verify/resend"):
        await by.ask("POST", template, {"email": slipped})
    await by.ask("POST", "/auth/register", {"email": slipped, "password": wrong})
    await by.ask("POST", "/auth/register", {"email": person.email, "password": by.typed("password of a taken address")})

    unread = by.typed("password in an unreadable request")
    for body in (
        {"email": person.email, "password": [unread]},
        {"email": person.email, "password": unread, "pasword": unread},
        {"email": {"x": unread}, "password": unread + "\0"},
        {"email": person.email, "password": unread * 10},
        [unread],
        unread,
    ):
        for template in ("/auth/login", "/auth/register"):
            await by.ask("POST", template, body)
    for content in (f'{{"email": "{person.email}", "password": "{unread}"', f"email=a&password={unread}"):
        for kind in ("application/json", "application/x-www-form-urlencoded"):
            await by.ask("POST", "/auth/login", content=content, headers={"content-type": kind})
    basic = base64.b64encode(f"{person.email}:{unread}".encode()).decode()
    for scheme in (f"Basic {basic}", f"Bearer {unread}", unread):
        await by.ask("GET", "/auth/me", headers={"authorization": scheme})


async def misplace_tokens(by: Traveller, person: Person) -> None:
    """Good tokens where they do not belong: in addresses above all. Not where an idempotency key is asked for: that is
    no secret, and goes where the command goes."""
    for token in (person.access, person.refresh):
        for name in ("token", "access_token", "refreshToken"):
            await by.ask("GET", "/auth/me", params={name: token})
            await by.ask("POST", "/auth/validate", {name + "s": token}, params={name: token})
        await by.ask("DELETE", "/auth/sessions/{sessionId}", token=person.access, where={"sessionId": token})
        await by.ask("GET", "/credits/transactions", token=person.access, params={"cursor": token})
        await by.http.get(f"/nothing/{token}?token={token}")
        await by.ask("POST", "/auth/email/verify", {"token": token})
        await by.ask("POST", "/auth/login/two-factor", {"challenge": token[:200], "code": "000000"})
    for template in ("//verify-email", "//reset-password", "//confirm-email"):
        await by.ask("GET", template, params={"token": person.refresh})


async def live(by: Traveller, person: Person) -> None:
    """What a user does on most days."""
    refreshed = await by.ask("POST", "/auth/refresh", {"refreshToken": person.refresh})
    person.access, person.refresh = by.tokens(refreshed)
    assert (await by.done("POST", "/auth/validate", {"token": person.access}))["valid"] is True
    for path in ("/auth/me", "/auth/sessions", "/auth/me/export", "/auth/jwks", "//health/live", "//health/ready"):
        await by.ask("GET", path, token=person.access)
    await by.done("PATCH", "/auth/me", {"name": "Ada L."}, token=person.access)
    use = {"amount": 1, "appId": "chat", "description": "d", "idempotencyKey": "canary-1"}
    traced = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "x-request-id": REQUEST}
    used = await by.done("POST", "/credits/use", use, token=person.access, headers=traced)
    await by.done("PUT", "/credits/alert", {"below": 50}, token=person.access)
    for path in ("/balance", "/alert", "/transactions", "/lots", "/purchases", "/packages", "/usage"):
        await by.done("GET", f"/credits{path}", token=person.access)
    which = {"transactionId": used["transaction"]["id"], "key": "canary-1"}
    for path in ("/transactions/{transactionId}", "/operations/{key}"):
        await by.done("GET", f"/credits{path}", token=person.access, where=which)


async def use_a_script(by: Traveller, person: Person) -> None:
    """With a key of the person's, and with keys that are none."""
    body = {"name": "backup", "scopes": ["credits:read", "credits:use"]}
    made = await by.done("POST", "/auth/api-keys", body, token=person.access)
    key = by.given("API key", made["key"])
    await by.done("GET", "/credits/balance", token=key)
    use = {"amount": 1, "appId": "chat", "description": "d", "idempotencyKey": "canary-2"}
    await by.done("POST", "/credits/use", use, token=key)
    await by.done("GET", "/auth/api-keys", token=person.access)
    for shown in (
        key[:-1],
        by.typed("key that is none", f"mana_key_{secrets.token_hex(6)}_{secrets.token_urlsafe(32)}"),
    ):
        await by.ask("GET", "/credits/balance", token=shown)
    await misplace(by, person, key)
    await by.done("DELETE", "/auth/api-keys/{keyId}", token=person.access, where={"keyId": made["id"]})


async def misplace(by: Traveller, person: Person, secret: str) -> None:
    """A good secret of a script or an app where it does not belong."""
    await by.ask("GET", "/auth/me", token=secret, params={"key": secret})
    await by.ask("DELETE", "/auth/api-keys/{keyId}", token=person.access, where={"keyId": secret})
    await by.ask("POST", "/auth/validate", {"token": secret})
    await by.ask("POST", "/auth/login", {"email": secret, "password": secret})
    await by.ask("POST", "/auth/token", data={"grant_type": secret, "client_id": secret, "scope": secret})
    proof = {"client_id": secret, "client_secret": secret}
    await by.ask("POST", "/auth/token", data={"grant_type": "client_credentials", **proof})
    await by.ask("POST", "/auth/token", {"client_secret": secret})


async def serve(by: Traveller, person: Person, owner: asyncpg.Connection) -> None:
    """What an app does for a person, with a token that it gets by its secret."""
    app = await register_app(owner, *PERMISSIONS)
    secret = by.typed("secret of an app", app.secret)
    proof, wrong = {"client_id": app.id, "client_secret": secret}, by.typed("wrong secret", f"mana_app_{'x' * 43}")
    grant = {"grant_type": "client_credentials"}
    token = by.given("service token", (await by.done("POST", "/auth/token", data={**grant, **proof}))["access_token"])
    for shown in ({**proof, "client_secret": wrong}, {"client_id": wrong, "client_secret": secret}):
        await by.ask("POST", "/auth/token", data={**grant, **shown})
    await by.done("POST", "/auth/introspect", data={**proof, "token": person.access})
    await by.ask("POST", "/auth/introspect", data={**proof, "client_secret": wrong, "token": person.access})
    await misplace(by, person, secret)

    said = {"userId": person.id, "amount": 1, "description": "d"}
    used = await by.done("POST", "/credits/use", {**said, "appId": app.id}, token=token)
    refund = {"userId": person.id, "transactionId": used["transaction"]["id"], "idempotencyKey": "canary-3"}
    await by.done("POST", "/credits/refund", refund, token=token)
    await by.done("POST", "/credits/grant", {**said, "source": "bonus"}, token=token)
    await by.done("POST", "/credits/adjust", {**said, "reason": "r"}, token=token)
    named = {"userId": person.id}
    for path in ("/balance", "/transactions"):
        await by.done("GET", f"/credits{path}", token=token, params=named)
    await by.done("GET", "/credits/operations/{key}", token=token, params=named, where={"key": "canary-3"})
    await by.done("GET", "/users/{userId}", token=token, where=named)


async def use_a_browser(by: Traveller, person: Person) -> None:
    """The same sign-in with cookies, from beginning to end."""
    body = {"email": person.email, "password": person.password}
    begun = await by.ask("POST", "/auth/login", body, headers=_BROWSER)
    by.tokens(begun)
    cookies = by.cookies(begun)
    assert len(cookies) == 2, "the refresh token's and the device's"
    refreshed = await by.ask("POST", "/auth/refresh", headers={**_BROWSER, "cookie": _written(cookies)})
    access, _ = by.tokens(refreshed)
    cookies |= by.cookies(refreshed)
    foreign = {**_BROWSER, "origin": "https://evil.example", "cookie": _written(cookies)}
    await by.ask("POST", "/auth/refresh", headers=foreign)
    await by.done("POST", "/auth/logout", token=access, headers={**_BROWSER, "cookie": _written(cookies)})


def _written(cookies: Mapping[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


async def follow_links(by: Traveller, person: Person, link: Link) -> None:
    """The address is proven, changed, and the password replaced, each by the link of a mail."""
    await by.done("POST", "/auth/email/verify/resend", {"email": person.email})
    token = by.mailed("link to verify", await link(person.email, "verify_requested"))
    for template in ("//verify-email", "/auth/email/verify"):
        await by.ask("GET", template, params={"token": token})
    await by.ask(
        "POST", "/auth/password/reset", {"token": token, "newPassword": by.typed("password with a wrong link")}
    )
    await by.done("POST", "/auth/email/verify", {"token": token})
    await by.ask("POST", "/auth/email/verify", {"token": token})

    other = new_email()
    await by.done("POST", "/auth/email/change", {"email": other}, token=person.access)
    token = by.mailed("link to confirm", await link(other, "change_requested"))
    await by.done("POST", "/auth/email/change/confirm", {"token": token}, token=person.access)
    person.email = other
    await reset(by, person, link)


async def reset(by: Traveller, person: Person, link: Link) -> None:
    """The password is forgotten, and replaced by the link of a mail."""
    await by.done("POST", "/auth/password/forgot", {"email": person.email})
    token = by.mailed("link to reset", await link(person.email, "reset_requested"))
    person.password = by.typed("password by a link")
    await by.ask("POST", "/auth/password/reset", {"token": token, "newPassword": person.email})
    await by.done("POST", "/auth/password/reset", {"token": token, "newPassword": person.password})
    await sign_in(by, person)


async def change_password(by: Traveller, person: Person) -> None:
    """First with a wrong one."""
    new = by.typed("changed password")
    wrong = {"currentPassword": by.typed("wrong present password"), "newPassword": new}
    await by.ask("POST", "/auth/password/change", wrong, token=person.access)
    right = {"currentPassword": person.password, "newPassword": new}
    await by.done("POST", "/auth/password/change", right, token=person.access)
    person.password = new


async def use_two_factors(by: Traveller, person: Person, owner: asyncpg.Connection) -> None:
    """Turned on, asked for, answered in both ways, and turned off."""
    made = await by.done("POST", "/auth/two-factor/setup", token=person.access)
    person.totp = TOTP(by.given("authenticator's secret", made["secret"]))
    enabled = await by.done("POST", "/auth/two-factor/enable", {"code": person.totp.now()}, token=person.access)
    _recovery_codes(by, enabled)
    code = await _unused_code(owner, person)
    renewed = await by.done("POST", "/auth/two-factor/recovery-codes", {"code": code}, token=person.access)
    person.recovery = _recovery_codes(by, renewed)
    body = {"password": person.password, "code": await _unused_code(owner, person)}
    await by.done("POST", "/auth/reauthenticate", body, token=person.access)
    wrong = by.typed("wrong recovery code", secrets.token_hex(16))
    for answer in (
        {"recoveryCode": wrong},
        {"recoveryCode": person.recovery[0]},
        {"code": await _unused_code(owner, person)},
    ):
        asked = await by.done("POST", "/auth/login", person.credentials)
        challenge = by.given("challenge", asked["challenge"])
        body = {"challenge": challenge, "deviceId": person.device, **answer}
        answered = await by.ask("POST", "/auth/login/two-factor", body)
        if answer != {"recoveryCode": wrong}:
            person.access, person.refresh = by.tokens(answered)
    factor = {"recoveryCode": person.recovery[1]}
    await by.done("POST", "/auth/two-factor/disable", factor, token=person.access)


def _recovery_codes(by: Traveller, answer: dict[str, list[str]]) -> list[str]:
    codes = answer["recoveryCodes"]
    for code in codes:
        by.given("recovery code", code)
    return codes


async def _unused_code(owner: asyncpg.Connection, person: Person) -> str:
    """The present code, of which the database is made to forget that it was used."""
    await owner.execute("UPDATE auth.two_factor_auth SET last_step = 0 WHERE user_id = $1", UUID(person.id))
    assert person.totp is not None
    return person.totp.now()


async def administer(by: Traveller, admin: Person, person: Person) -> None:
    """Everything that an administrator can do to somebody."""
    await sign_in(by, admin)
    where = {"userId": person.id}
    one = "/admin/users/{userId}"
    await by.done("GET", "/admin/users", token=admin.access, params={"email": person.email})
    await by.done("GET", one, token=admin.access, where=where)
    (session, *_) = await by.done("GET", f"{one}/sessions", token=admin.access, where=where)
    which = {**where, "sessionId": session["id"]}
    await by.done("DELETE", f"{one}/sessions/{{sessionId}}", token=admin.access, where=which)
    await by.done("DELETE", f"{one}/sessions", token=admin.access, where=where)
    await by.done("POST", f"{one}/ban", {"reason": "spam"}, token=admin.access, where=where)
    await by.ask("POST", "/auth/login", person.credentials)
    await by.done("POST", f"{one}/unban", {"reason": "no spam"}, token=admin.access, where=where)
    await by.done("PATCH", one, {"role": "admin"}, token=admin.access, where=where)
    await by.done("PATCH", one, {"role": "user"}, token=admin.access, where=where)
    package = {"name": "Once", "description": "d", "credits": 1, "priceEuroCents": 100}
    which = {"packageId": "canary"}
    await by.done("PUT", "/admin/packages/{packageId}", package, token=admin.access, where=which)
    await by.done("GET", "/admin/packages", token=admin.access)
    await by.done("DELETE", "/admin/packages/{packageId}", token=admin.access, where=which)
    await manage_apps(by, admin)
    await by.done("GET", "/admin/events", token=admin.access, params={"limit": 200})


async def manage_apps(by: Traveller, admin: Person) -> None:
    """An app's whole life, its secrets exchanged on the way."""
    app, which = "/admin/apps/{appId}", {"appId": "canary"}
    made = await by.done("POST", "/admin/apps", {"id": "canary"}, token=admin.access)
    by.given("first secret of an app", made["secret"]["secret"])
    added = await by.done("POST", f"{app}/secrets", token=admin.access, where=which)
    by.given("second secret of an app", added["secret"])

    async def known() -> bool:
        held = await by.done("GET", app, token=admin.access, where=which)
        return all(one["ready"] for one in held["secrets"])

    await until(known, "the broker knows both")
    await by.done("PATCH", app, {"name": "Bird"}, token=admin.access, where=which)
    for path in (app, "/admin/apps"):
        await by.done("GET", path, token=admin.access, where=which)
    old = {**which, "secretId": made["secret"]["id"]}
    await by.done("DELETE", f"{app}/secrets/{{secretId}}", token=admin.access, where=old)
    await by.done("DELETE", app, token=admin.access, where=which)


async def leave(by: Traveller, person: Person) -> None:
    """All ways out: one session, this one, all of them, and for good."""
    await sign_in(by, person)
    listed = await by.done("GET", "/auth/sessions", token=person.access)
    own = next(session["id"] for session in listed if session["current"])
    await by.done("DELETE", "/auth/sessions/{sessionId}", token=person.access, where={"sessionId": own})
    for template in ("/auth/logout", "/auth/logout-all"):
        await sign_in(by, person)
        await by.done("POST", template, token=person.access)
    await by.ask("POST", "/auth/refresh", {"refreshToken": person.refresh})
    await sign_in(by, person)
    await by.done("DELETE", "/auth/me", token=person.access)


async def meet_failures(by: Traveller, person: Person, owner: asyncpg.Connection) -> None:
    """What is asked with secrets while tables are missing, so that something fails in the middle of it."""
    await sign_in(by, person)
    for table in ("passwords", "sessions", "refresh_tokens", "verification_tokens", "security_events", "mails"):
        await owner.execute(f"ALTER TABLE auth.{table} RENAME TO away")
        try:
            await _ask_with_secrets(by, person)
        finally:
            await owner.execute(f"ALTER TABLE auth.away RENAME TO {table}")


async def _ask_with_secrets(by: Traveller, person: Person) -> None:
    new = {"newPassword": by.typed("password of a failing request")}
    await by.ask("POST", "/auth/login", person.credentials)
    await by.ask("POST", "/auth/login", {**person.credentials, "password": new["newPassword"]})
    await by.ask("POST", "/auth/register", {"email": new_email(), "password": new["newPassword"]})
    refreshed = await by.ask("POST", "/auth/refresh", {"refreshToken": person.refresh})
    if refreshed.status_code == 200:
        person.access, person.refresh = by.tokens(refreshed)
    link = by.typed("token of a failing request", secrets.token_urlsafe(32))
    await by.ask("POST", "/auth/password/reset", {"token": link, **new})
    await by.ask("POST", "/auth/email/verify", {"token": link})
    change = {"currentPassword": new["newPassword"], **new}
    await by.ask("POST", "/auth/password/change", change, token=person.access)
    await by.ask("POST", "/auth/two-factor/setup", token=person.access)
    await by.ask("POST", "/auth/validate", {"token": person.access})
