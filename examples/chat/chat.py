"""A small web chat that charges by length: `python examples/chat/chat.py`, then open the address that it prints.

Users sign in with their Mana address and password. An answer costs 1 credit for each started 200 characters of
question and answer together. Needs mana-client[fastapi] and uvicorn, MANA_AMQP_URL and MANA_API_URL. With
MANA_AMQP_URL_FILE instead of the first, a file that holds it, a new secret is used as soon as it stands there.
CHAT_PORT (8000), CHAT_FILE (where answers are kept: chat.sqlite3), CHAT_PATIENCE (10 seconds) may be set.
"""

import hashlib
import logging
import os
import secrets
import sqlite3
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse
from mana_client import (
    InsufficientCredits,
    LoginRefused,
    Mana,
    ManaError,
    NoAnswer,
    NotAllowed,
    NotConnected,
    Overloaded,
    Refused,
)
from mana_client.fastapi import CurrentUser, install
from mana_client.tokens import TokenVerifier
from pydantic import BaseModel, Field

API = os.environ.get("MANA_API_URL", "")
BROKER = os.environ.get("MANA_AMQP_URL", "")
BROKER_FILE = os.environ.get("MANA_AMQP_URL_FILE", "")
PORT = int(os.environ.get("CHAT_PORT", "8000"))
PATIENCE = float(os.environ.get("CHAT_PATIENCE", "10"))
log = logging.getLogger("chat")


def broker() -> str:
    """The broker's address, as it is now: the client asks for it before each connection."""
    return Path(BROKER_FILE).read_text(encoding="utf-8").strip() if BROKER_FILE else BROKER


def think(prompt: str) -> str:
    """The toy model: the same answer to the same question, without a network."""
    words = prompt.split()
    return f"You wrote {len(words)} words. Backwards they are: {' '.join(reversed(words))}."


def is_fit_to_show(answer: str) -> bool:
    """What comes last in a real app, a filter for example. This one does not like smoke."""
    return "smoke" not in answer


def price(prompt: str, answer: str) -> int:
    """In credits."""
    return -(-(len(prompt) + len(answer)) // 200)


class Kept:
    """Answers by user and key, so that whoever asks again is shown the same one. A real app has a database for it."""

    def __init__(self, file: str) -> None:
        self._rows = sqlite3.connect(file, isolation_level=None)
        self._rows.execute(
            "CREATE TABLE IF NOT EXISTS answers"
            " (user_id TEXT, key TEXT, answer TEXT, has_failed INTEGER DEFAULT 0, PRIMARY KEY (user_id, key))"
        )

    def answer(self, user_id: str, key: str, prompt: str) -> tuple[str, bool]:
        """The first answer, and whether it failed after it was charged."""
        find = "SELECT answer, has_failed FROM answers WHERE user_id = ? AND key = ?"
        found = self._rows.execute(find, (user_id, key)).fetchone()
        if found is None:
            found = (think(prompt), 0)
            self._rows.execute("INSERT INTO answers (user_id, key, answer) VALUES (?, ?, ?)", (user_id, key, found[0]))
        return found[0], bool(found[1])

    def fail(self, user_id: str, key: str) -> None:
        """It is never shown from now on."""
        self._rows.execute("UPDATE answers SET has_failed = 1 WHERE user_id = ? AND key = ?", (user_id, key))


class ToldError(Exception):
    """Ends a request otherwise than wanted: ``words`` are for the user, ``code`` and ``figures`` for the page."""

    def __init__(self, status: int, code: str, words: str, **figures: int) -> None:
        super().__init__(code)
        self.status = status
        self.body = {"code": code, "words": words, **figures}


class SignIn(BaseModel):
    """Of a user of Mana's."""

    email: str
    password: str


class Message(BaseModel):
    """The page makes the id when the text is sent first, and keeps it for as long as it sends the same text."""

    id: UUID
    text: str = Field(min_length=1, max_length=4000)


class Order(BaseModel):
    """One of the packages that Mana sells."""

    package_id: str


@asynccontextmanager
async def running(app: FastAPI) -> AsyncGenerator[None]:
    """One client for the whole process; it connects again by itself."""
    async with (
        Mana(broker, app="chat", timeout=PATIENCE) as app.state.mana,
        httpx.AsyncClient(base_url=f"{API}/api/v1", timeout=PATIENCE) as app.state.rest,
    ):
        app.state.kept = Kept(os.environ.get("CHAT_FILE", "chat.sqlite3"))
        yield


app = FastAPI(lifespan=running, docs_url=None, redoc_url=None, openapi_url=None)
# By Mana's public keys, without asking Mana for each request.
install(app, TokenVerifier(f"{API}/.well-known/jwks.json", issuer="mana", audience="mana"))


@app.exception_handler(ToldError)
async def told(_: Request, error: ToldError) -> JSONResponse:
    """What was typed stays on the page."""
    return JSONResponse(error.body, error.status)


@app.exception_handler(ManaError)
async def refused(_: Request, error: ManaError) -> JSONResponse:
    """Whatever came of a call to the ledger that was not its result."""
    if isinstance(error, InsufficientCredits):
        words = f"An answer to this costs {error.required}, and you have {error.available} credits."
        answered = ToldError(402, "no_credits", words, available=error.available, required=error.required)
    elif isinstance(error, NoAnswer | NotConnected | Overloaded):
        # Perhaps it is charged, perhaps not. The same message, asked again, has the same key.
        answered = ToldError(503, "try_again", "No answer came in time. Send it again: you pay for it once.")
    elif isinstance(error, LoginRefused | NotAllowed):
        # Nothing that the user can do. The client goes on trying, and is back when the secret is good again.
        log.error("Mana does not let this chat in; was its secret revoked, or a permission taken away? %s", error)
        words = "The chat cannot count credits at the moment, so it gives no answers. Whoever runs it has been told."
        answered = ToldError(503, "closed", f"{words} Send it again later: you pay for it once.")
    elif isinstance(error, Refused):
        answered = ToldError(403, error.code, f"That is not possible: {error.message}.")
    else:
        raise error
    return JSONResponse(answered.body, answered.status)


@app.post("/messages")
async def answer(message: Message, user: CurrentUser, request: Request) -> dict[str, Any]:
    """Charges when the answer is known, since only then its price is, and before it is shown: what was shown cannot be
    taken back. So the model may work for somebody who cannot pay; where that is dear, look at ``mana.balance`` first.
    """
    mana, kept = request.app.state.mana, request.app.state.kept
    # A double click, and a page that asks again, have the same key: charged once. The text is part of it, lest another
    # question under a used id be answered for nothing.
    key = f"chat:{message.id}:{hashlib.sha256(message.text.encode()).hexdigest()[:32]}"
    text, has_failed = kept.answer(user.user_id, key, message.text)
    cost = price(message.text, text)
    paid = await mana.use(user.user_id, cost, description="Chat answer", metadata={"model": "toy"}, key=key)
    if has_failed or not is_fit_to_show(text):
        kept.fail(user.user_id, key)  # first: who asks again after a refund of unknown outcome gets that, and no answer
        await mana.refund(user.user_id, paid.transaction.id, description="The model failed", key=f"{key}:refund")
        words = "The model failed, and your credits were given back. You can send it again."
        raise ToldError(502, "refunded", words, available=(await mana.balance(user.user_id)).available)
    balance = await mana.balance(user.user_id) if paid.replayed else paid.balance  # a replay tells the balance of then
    return {"answer": text, "cost": cost, "available": balance.available}


@app.post("/sign-in")
async def sign_in(login: SignIn, request: Request) -> dict[str, Any]:
    """The token goes to the page, which keeps it in memory. Passwords are not kept anywhere.

    Mana limits tries by address: it believes that header where its TRUSTED_PROXIES names this app.
    """
    forwarded = {"X-Forwarded-For": request.client.host if request.client else ""}
    answered = await rest(request, "POST", "/auth/login", json=login.model_dump(), headers=forwarded)
    if "accessToken" not in answered:
        raise ToldError(403, "two_factor", "This example does not ask for a second factor.")
    return {"token": answered["accessToken"]}


@app.get("/account")
async def account(_: CurrentUser, request: Request) -> dict[str, Any]:
    """What there is, what the day brings, and what can be bought."""
    figures = await rest(request, "GET", "/credits/balance", headers=proof(request))
    packages = await rest(request, "GET", "/credits/packages", headers=proof(request))
    return {
        "available": figures["balance"] + figures["freeCreditsRemaining"],
        "daily": figures["dailyFreeCredits"],
        "packages": [{name: one[name] for name in ("id", "name", "credits", "priceEuroCents")} for one in packages],
    }


@app.post("/orders")
async def order(wanted: Order, _: CurrentUser, request: Request) -> dict[str, Any]:
    """Where it is paid. The credits come when Stripe says so."""
    body = {"packageId": wanted.package_id}
    begun = await rest(request, "POST", "/credits/purchases", json=body, headers=proof(request))
    return {"url": begun["checkoutUrl"]}


def proof(request: Request) -> dict[str, str]:
    """The user's own token, for Mana."""
    return {"Authorization": request.headers["Authorization"]}


async def rest(request: Request, method: str, path: str, **given: Any) -> Any:
    """Mana's answer by REST. Raises ``ToldError`` with Mana's own words."""
    try:
        answered = await request.app.state.rest.request(method, path, **given)
    except httpx.HTTPError:
        raise ToldError(503, "try_again", "The service cannot be reached. Try again in a minute.") from None
    if answered.is_error:
        problem = answered.json()
        raise ToldError(answered.status_code, problem["code"], f"Mana says: {problem['detail']}.")
    return answered.json()


@app.get("/")
async def page() -> HTMLResponse:
    """It runs its own script alone, and asks nobody but this server."""
    nonce = secrets.token_urlsafe(16)
    allowed = f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'"
    policy = f"{allowed}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return HTMLResponse(HTML.replace("NONCE", nonce), headers={"Content-Security-Policy": policy})


HTML = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Chat</title>
<style nonce="NONCE">
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b; }
  label { display: block; margin-top: 1rem; }
  input, textarea { font: inherit; width: 100%; box-sizing: border-box; padding: .5rem; border: 1px solid #666; }
  button { font: inherit; margin: .5rem .5rem .5rem 0; padding: .4rem 1rem; }
  #notice:not(:empty) { border-left: .3rem solid #a33; padding-left: .7rem; }
  #talk p { white-space: pre-wrap; overflow-wrap: anywhere; }
  .cost { color: #555; }
</style>
</head>
<body>
<h1>Chat</h1>
<form id="entry">
  <label for="email">E-mail</label><input id="email" type="email" autocomplete="username" required>
  <label for="password">Password</label>
  <input id="password" type="password" autocomplete="current-password" required>
  <button>Sign in</button>
</form>
<main id="chat" hidden>
  <p>You have <strong id="credits" aria-live="polite"></strong> credits. An answer costs 1 for each started 200
  characters.</p>
  <div id="talk" role="log" aria-live="polite"></div>
  <form id="ask">
    <label for="text">Your message</label><textarea id="text" rows="4" maxlength="4000" required></textarea>
    <button id="send">Send</button>
  </form>
</main>
<p id="notice" role="alert"></p>
<div id="more" hidden><p id="daily"></p><ul id="packages"></ul></div>
<script nonce="NONCE">
const $ = (id) => document.getElementById(id);
let token = null; // in memory alone: another page's script cannot read it from anywhere
let draft = null; // what was sent last and not answered yet, with its id

async function call(path, body) {
  const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
  let response;
  try {
    response = await fetch(path, body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers });
  } catch {
    throw { code: "try_again", words: "This chat cannot be reached. Send it again: you pay for it once." };
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 401 && token) {
    token = null;
    $("entry").hidden = false;
    throw { code: "signed_out", words: "Your sign-in is over. Sign in again, and send it again." };
  }
  throw { words: "That did not work. You can send it again: you pay for it once.", ...answer };
}

function line(text, kind) {
  const p = document.createElement("p");
  p.textContent = text;
  if (kind) p.className = kind;
  $("talk").append(p);
}

async function showMore(account) {
  $("daily").textContent = `Tomorrow (UTC) brings ${account.daily} free credits.`;
  $("packages").replaceChildren(...account.packages.map((one) => {
    const item = document.createElement("li"), button = document.createElement("button");
    button.textContent = `Buy ${one.credits} credits for €${(one.priceEuroCents / 100).toFixed(2)}`;
    button.onclick = () => guarded(button, async () => {
      const link = document.createElement("a");
      link.href = (await call("orders", { package_id: one.id })).url;
      link.target = "_blank"; // what was typed stays on this page
      link.rel = "noopener";
      link.textContent = `Pay for ${one.credits} credits (opens a new page)`;
      button.replaceWith(link);
      link.focus();
    });
    item.append(button);
    return item;
  }));
  $("more").hidden = false;
}

async function guarded(button, act) {
  button.disabled = true;
  $("notice").textContent = "";
  try {
    await act();
  } catch (problem) {
    if (problem instanceof Error) throw problem;
    $("notice").textContent = problem.words;
    if (problem.available !== undefined) $("credits").textContent = problem.available;
    if (problem.code === "refunded") draft = null; // the next try is a new message, and is charged anew
    if (problem.code === "no_credits") {
      await call("account").then(showMore, (other) => $("notice").append(` ${other.words}`));
    }
  } finally {
    button.disabled = false;
  }
}

$("entry").onsubmit = (event) => {
  event.preventDefault();
  guarded(event.submitter, async () => {
    token = (await call("sign-in", { email: $("email").value, password: $("password").value })).token;
    $("password").value = "";
    $("credits").textContent = (await call("account")).available;
    $("entry").hidden = true;
    $("chat").hidden = false;
    $("text").focus();
  });
};

$("ask").onsubmit = (event) => {
  event.preventDefault();
  guarded($("send"), async () => {
    const text = $("text").value;
    if (draft?.text !== text) draft = { id: crypto.randomUUID(), text };
    const told = await call("messages", draft);
    line(text);
    line(told.answer);
    line(`${told.cost} ${told.cost === 1 ? "credit" : "credits"}`, "cost");
    $("credits").textContent = told.available;
    $("text").value = "";
    $("more").hidden = true;
    draft = null;
  });
};
</script>
</body>
</html>
"""


def main() -> int:
    """Runs until Ctrl-C."""
    if not API or not (BROKER or BROKER_FILE):
        print("usage: MANA_AMQP_URL=amqp://… MANA_API_URL=http://… python examples/chat/chat.py", file=sys.stderr)
        return 2
    logging.basicConfig(format="%(levelname)s: %(name)s: %(message)s")
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="info")
    return 0


if __name__ == "__main__":
    sys.exit(main())
