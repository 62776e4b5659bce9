"""Webhook endpoints, their secrets, and the signatures made with these."""

import hashlib
import hmac
import secrets
import time

from ops.fakes.stripe.account import API_VERSION, Account, Secret, change
from ops.fakes.stripe.call import Call, page
from ops.fakes.stripe.errors import JSON, invalid
from ops.fakes.stripe.forms import merged

_SECRET_BYTES = 24


def create(call: Call) -> JSON:
    """POST /v1/webhook_endpoints: the only answer that has the secret in it"""
    account, params = call.account, call.params
    if params.text("api_version") not in (None, API_VERSION):
        raise invalid(f"The stand-in only speaks {API_VERSION}.", param="api_version")
    url, kinds = _url(params.need("url"), account), params.words("enabled_events")
    description, metadata = params.text("description"), merged({}, params.metadata())
    if not kinds:
        raise params.lacking("enabled_events")
    pinned = params.text("api_version")
    params.done()
    endpoint = add(account, url, kinds, description=description, metadata=metadata, api_version=pinned)
    return {**endpoint, "secret": account.secrets[endpoint["id"]][0].value}


def _url(url: str, account: Account) -> str:
    """Live endpoints of Stripe's are https; here any address on this machine will do."""
    if not url.startswith(("http://", "https://")):
        raise invalid(f"Invalid URL: {url}", param="url", code="url_invalid")
    if url.startswith(account.url):
        raise invalid("The stand-in does not send webhooks to itself.", param="url")
    return url


def add(account: Account, url: str, kinds: list[str], *, secret: str | None = None, **fields: object) -> JSON:
    """An endpoint; with a secret of the caller's choosing, or a new one."""
    endpoint = account.keep(
        {
            **account.base("we", "webhook_endpoint"),
            "api_version": None,
            "application": None,
            "description": None,
            "enabled_events": kinds,
            "metadata": {},
            "status": "enabled",
            "url": url,
            **fields,
        }
    )
    account.secrets[endpoint["id"]] = [Secret(secret or _new_secret())]
    return endpoint


def _new_secret() -> str:
    return f"whsec_{secrets.token_urlsafe(_SECRET_BYTES)}"


def update(call: Call) -> JSON:
    """POST /v1/webhook_endpoints/{id}"""
    account, params = call.account, call.params
    endpoint = account.get("webhook_endpoint", call.ids["id"], param="webhook_endpoint")
    fields: JSON = {"metadata": merged(endpoint["metadata"], params.metadata())}
    if "url" in params:
        fields["url"] = _url(params.need("url"), account)
    if kinds := params.words("enabled_events"):
        fields["enabled_events"] = kinds
    if "description" in params:
        fields["description"] = params.text("description") or None
    if (disabled := params.flag("disabled")) is not None:
        fields["status"] = "disabled" if disabled else "enabled"
    params.done()
    change(endpoint, **fields)
    return endpoint


def delete(call: Call) -> JSON:
    """DELETE /v1/webhook_endpoints/{id}"""
    call.params.done()
    endpoint = call.account.get("webhook_endpoint", call.ids["id"], param="webhook_endpoint")
    call.account.drop(endpoint)
    return {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}


def retrieve(call: Call) -> JSON:
    """GET /v1/webhook_endpoints/{id}"""
    return call.account.get("webhook_endpoint", call.ids["id"], param="webhook_endpoint")


def listed(call: Call) -> JSON:
    """GET /v1/webhook_endpoints"""
    return page(call, call.account.all("webhook_endpoint"))


def wants(endpoint: JSON, kind: str) -> bool:
    """Whether events of that type are sent there."""
    kinds: list[str] = endpoint["enabled_events"]
    return endpoint["status"] == "enabled" and ("*" in kinds or kind in kinds)


def roll(account: Account, endpoint: JSON, overlap_seconds: int) -> str:
    """A new secret; with the old ones everything is signed too until the overlap is over."""
    until = account.clock.now() + overlap_seconds
    for secret in account.secrets[endpoint["id"]]:
        secret.until = until if secret.until is None else min(until, secret.until)
    made = Secret(_new_secret())
    account.secrets[endpoint["id"]].insert(0, made)
    return made.value


def signature(account: Account, endpoint_id: str, body: str) -> str:
    """The header: one ``v1`` for each secret in force; test events also carry a ``v0`` that is to be ignored.

    The time in it is the system's, even where the stand-in's was moved: a receiver's clock was not.
    """
    now = account.clock.now()
    stamp = int(time.time())
    signed = f"{stamp}.{body}".encode()
    valid = [one.value for one in account.secrets[endpoint_id] if one.until is None or one.until > now]
    parts = [f"v1={hmac.new(value.encode(), signed, hashlib.sha256).hexdigest()}" for value in valid]
    if not account.livemode:
        parts.append(f"v0={hashlib.sha256(signed).hexdigest()}")
    return ",".join([f"t={stamp}", *parts])
