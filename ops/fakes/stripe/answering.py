"""From an HTTP request to an endpoint and back: key, version, parameters, idempotency, expansion, headers."""

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from ops.fakes.stripe import charges, session_parts
from ops.fakes.stripe.account import API_VERSION, Account, Cause, Settings, new_id
from ops.fakes.stripe.call import Call, Endpoint, Extra, expanded
from ops.fakes.stripe.errors import JSON, ApiError
from ops.fakes.stripe.forms import Params, decode
from ops.fakes.stripe.idempotency import Answer, Keys

_KEY = re.compile(r"(?:sk|rk)_(test|live)_\w{8,}")
_EXTRAS: dict[tuple[str, str], Extra] = {
    ("charge", "refunds"): charges.refunds_of,
    ("checkout.session", "line_items"): session_parts.line_items_of,
}


@dataclass
class Api:
    """What all endpoints share."""

    test: Account
    live: Account
    settings: Settings
    keys: dict[bool, Keys]
    """By livemode."""
    secret_keys: frozenset[str] = field(default_factory=frozenset[str])
    """Which secret keys are taken; any of the right form where there are none."""

    def account(self, request: Request) -> Account:
        """Whose key it is, and of which mode."""
        secret = _secret(request)
        found = _KEY.fullmatch(secret)
        if found is None or (self.secret_keys and secret not in self.secret_keys):
            masked = f"{secret[:8]}{'*' * max(len(secret) - 12, 0)}{secret[-4:]}"
            raise ApiError(401, "invalid_request_error", f"Invalid API Key provided: {masked}")
        return self.live if found[1] == "live" else self.test

    def endpoint(self, act: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        """An endpoint as the server takes it."""

        async def answer(request: Request) -> Response:
            name = new_id("req", 14)
            try:
                return await self._answer(act, request, name)
            except ApiError as error:
                return _response(Answer(error.status, _body(_error(error, name))), name, request)

        return answer

    async def _answer(self, act: Endpoint, request: Request, name: str) -> Response:
        account = self.account(request)
        _check_version(request)
        tree = await _parameters(request)
        expands = _expands(tree)
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        call = Call(account, Params(tree), dict(request.path_params), Cause(name, key), request.url.path)
        if key is None:
            await self._hindered(request)
            answer = _done(act, call, expands, name)
            return self._cut(_response(answer, name, request), request)
        first = self.keys[account.livemode].begin(key, request.url.path, {**tree, "expand": expands}, name)
        if first.answer is not None:
            return self._cut(_response(first.answer, name, request, first=first.name, replayed=True), request)
        try:
            await self._hindered(request)
            first.answer = answer = _done(act, call, expands, name)
        finally:
            if first.answer is None:
                self.keys[account.livemode].forget(key)
        return self._cut(_response(answer, name, request, first=name), request)

    async def _hindered(self, request: Request) -> None:
        """Is as slow, and fails as often, as it was told to."""
        settings = self.settings
        if request.method != "POST":
            return
        if settings.answer_delay_seconds:
            await asyncio.sleep(settings.answer_delay_seconds)
        if settings.answers_failed > 0:
            settings.answers_failed -= 1
            raise ApiError(500, "api_error", "Something went wrong on Stripe's end.")

    def _cut(self, response: Response, request: Request) -> Response:
        """Promises more than it sends, where it was told to: the server then cuts the connection."""
        if request.method == "POST" and self.settings.answers_lost > 0:
            self.settings.answers_lost -= 1
            response.headers["content-length"] = str(len(response.body) + 1)
        return response


def _secret(request: Request) -> str:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and given:
        return given.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(given, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            pass  # no key, then
    message = (
        "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer "
        "auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
    )
    raise ApiError(401, "invalid_request_error", message)


def _check_version(request: Request) -> None:
    version = request.headers.get("stripe-version", API_VERSION)
    if version != API_VERSION:
        message = f"Invalid Stripe API version: {version}. The stand-in only speaks {API_VERSION}."
        raise ApiError(400, "invalid_request_error", message)


async def _parameters(request: Request) -> JSON:
    query = parse_qsl(request.url.query, keep_blank_values=True)
    body = (await request.body()).decode()
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if body and kind != "application/x-www-form-urlencoded":
        message = f"Invalid request: unsupported content type {kind}. Parameters are sent as a form."
        raise ApiError(400, "invalid_request_error", message)
    return decode([*query, *parse_qsl(body, keep_blank_values=True)])


def _expands(tree: JSON) -> list[str]:
    asked = Params({"expand": tree.pop("expand", {})})
    return asked.words("expand")


def _done(act: Endpoint, call: Call, expands: list[str], name: str) -> Answer:
    """The endpoint's own answer, or its refusal where it had begun: what an idempotency key keeps."""
    try:
        answer = act(call)
        call.params.done()
    except ApiError as error:
        if not error.begun:
            raise
        return Answer(error.status, _body(_error(error, name)))
    try:
        return Answer(200, _body(expanded(call.account, answer, expands, _EXTRAS)))
    except ApiError as error:
        return Answer(error.status, _body(_error(error, name)))


def _error(error: ApiError, name: str) -> JSON:
    return {"error": {**error.error, "request_log_url": f"https://dashboard.stripe.com/test/logs/{name}"}}


def _body(answer: JSON) -> bytes:
    return json.dumps(answer, indent=2, ensure_ascii=False).encode()


def _response(
    answer: Answer, name: str, request: Request, *, first: str | None = None, replayed: bool = False
) -> Response:
    headers = {"Request-Id": name, "Stripe-Version": API_VERSION}
    if (key := request.headers.get("idempotency-key")) is not None and request.method == "POST":
        headers["Idempotency-Key"] = key
    if first is not None:
        headers["Original-Request"] = first
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return Response(answer.body, answer.status, headers, "application/json")
