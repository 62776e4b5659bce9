"""The header fields that Helmet sets by default, on every answer of whatever kind."""

from __future__ import annotations

import httpx
import pytest

from tests.integration.api.users import BASE, PASSWORD

# As https://helmetjs.github.io/ lists them, version 8; written out here so that a slip in the code is one.
HELMET = {
    "content-security-policy": "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';"
    "frame-ancestors 'self';img-src 'self' data:;object-src 'none';script-src 'self';script-src-attr 'none';"
    "style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "origin-agent-cluster": "?1",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-dns-prefetch-control": "off",
    "x-download-options": "noopen",
    "x-frame-options": "SAMEORIGIN",
    "x-permitted-cross-domain-policies": "none",
    "x-xss-protection": "0",
}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health/live", 200),
        ("GET", "/metrics", 200),
        ("GET", f"{BASE}/auth/jwks", 200),
        ("GET", "/", 307),
        ("GET", f"{BASE}/credits/balance", 401),
        ("GET", "/nothing", 404),
        ("PUT", f"{BASE}/auth/login", 405),
        ("POST", f"{BASE}/auth/login", 422),
    ],
)
async def test_every_answer_has_them(http: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    answer = await http.request(method, path)
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in HELMET} == HELMET
    assert "x-powered-by" not in answer.headers
    assert "server" not in answer.headers


async def test_a_refused_body_has_them(http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{BASE}/auth/login", json={"email": "a@b.example", "password": PASSWORD * 1_000})
    assert answer.status_code == 413
    assert {name: answer.headers.get(name) for name in HELMET} == HELMET


async def test_a_page_keeps_its_own_policy(http: httpx.AsyncClient) -> None:
    headers = (await http.get("/docs")).headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    others = {name: value for name, value in HELMET.items() if name != "content-security-policy"}
    assert {name: headers.get(name) for name in others} == others
