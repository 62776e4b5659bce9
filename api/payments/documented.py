"""What OpenAPI says of buying, generated from the views."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from api.payments.topup.model import Topup
from api.payments.views import Opened, RefundedPurchase, WholePurchase

_REFERENCE: Final = "#/components/schemas/{name}"
_, _COMPONENTS = msgspec.json.schema_components(
    (Opened, RefundedPurchase, Topup, WholePurchase), ref_template=_REFERENCE
)


def components() -> dict[str, Any]:
    """The schemas that these routes refer to, by name."""
    return dict(_COMPONENTS)


def result(status: int, description: str, shape: type) -> dict[int | str, dict[str, Any]]:
    """The documented answer of a route when all is well."""
    schema = {"$ref": _REFERENCE.format(name=shape.__name__)}
    return {status: {"description": description, "content": {"application/json": {"schema": schema}}}}
