"""Options of Traefik that our files may use: those of ``VERSION``, each looked up in the source file named above it.

Traefik ends at a key of the static file that it does not know, and drops a dynamic file that has one. A name that we
choose (of an entry point, a router, a header) is ``*``. Who pins another version looks all of them up again.
"""

from __future__ import annotations

import re
from typing import Any, Final

VERSION: Final = "v3.7.9"

STATIC: Final = frozenset(
    f"{root}.{key}"
    for root, keys in {
        # pkg/config/static/entrypoints.go
        "entryPoints.*": "address",
        "entryPoints.*.http.redirections.entryPoint": "to scheme permanent",
        "entryPoints.*.http.tls": "certResolver options",
        # pkg/config/static/static_config.go: RespondingTimeouts, LifeCycle, Global
        "entryPoints.*.transport.respondingTimeouts": "readTimeout writeTimeout idleTimeout",
        "entryPoints.*.transport.lifeCycle": "graceTimeOut",
        "global": "checkNewVersion sendAnonymousUsage",
        # pkg/ping/ping.go
        "ping": "entryPoint",
        # pkg/observability/types/metrics.go
        "metrics.prometheus": "entryPoint",
        # pkg/provider/acme/provider.go
        "certificatesResolvers.*.acme": "storage",
        "certificatesResolvers.*.acme.httpChallenge": "entryPoint",
        # pkg/provider/file/file.go
        "providers.file": "directory filename watch",
        # pkg/observability/types/logs.go; `queryParameters` came with 3.6.19 and 3.7.3
        "log": "level format",
        "accessLog": "format",
        "accessLog.fields.queryParameters": "defaultMode",
        "accessLog.fields.headers": "defaultMode",
    }.items()
    for key in keys.split()
)
DYNAMIC: Final = frozenset(
    f"{root}.{key}"
    for root, keys in {
        # pkg/config/dynamic/http_config.go
        "http.routers.*": "rule entryPoints middlewares service priority",
        "http.services.*.loadBalancer.servers": "url",
        "http.services.*.loadBalancer.healthCheck": "path interval timeout",
        # pkg/config/dynamic/middlewares.go
        "http.middlewares.*.headers": "stsSeconds stsIncludeSubdomains contentTypeNosniff frameDeny referrerPolicy",
        "http.middlewares.*.headers.customResponseHeaders": "*",
        "http.middlewares.*.rateLimit": "average burst period",
        "http.middlewares.*.retry": "attempts initialInterval",
        # pkg/config/dynamic/tcp_config.go
        "tcp.routers.*": "rule entryPoints service",
        "tcp.routers.*.tls": "certResolver options",
        "tcp.services.*.loadBalancer.servers": "address",
        # pkg/tls/tls.go
        "tls.options.*": "minVersion sniStrict",
    }.items()
    for key in keys.split()
)
_WE_NAME: Final = frozenset(
    option[: match.start()] for option in STATIC | DYNAMIC for match in re.finditer(r"\.\*", option)
)


def options_of(told: Any, where: str = "") -> frozenset[str]:
    """The path of each value that a file of Traefik's sets."""
    if isinstance(told, list):
        return frozenset().union(*(options_of(one, where) for one in told))
    if not isinstance(told, dict) or not told:
        return frozenset({where})
    inside = {key: "*" if where in _WE_NAME else key for key in told}
    return frozenset().union(*(options_of(value, f"{where}.{inside[key]}".lstrip(".")) for key, value in told.items()))
