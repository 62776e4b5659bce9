"""Whether JSON has the shape that Stripe's own library declares, and that Stripe's published examples have.

The library's classes say of each field its type, whether it may be null, and which words it may hold. They are read as
data here: this code knows no field by name.
"""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, ClassVar, ForwardRef, Literal, Union, get_args, get_origin

import stripe
from stripe._stripe_object import UntypedStripeObject

JSON = dict[str, Any]
CLASSES: dict[str, type] = {
    "balance_transaction": stripe.BalanceTransaction,
    "charge": stripe.Charge,
    "checkout.session": stripe.checkout.Session,
    "customer": stripe.Customer,
    "dispute": stripe.Dispute,
    "event": stripe.Event,
    "item": stripe.LineItem,
    "payment_intent": stripe.PaymentIntent,
    "payment_method": stripe.PaymentMethod,
    "price": stripe.Price,
    "product": stripe.Product,
    "refund": stripe.Refund,
    "webhook_endpoint": stripe.WebhookEndpoint,
}


def objects_in(answer: Any) -> Iterator[JSON]:
    """Every object of a kind that Stripe knows, however deep."""
    if isinstance(answer, dict):
        if str(answer.get("object")) in CLASSES and not answer.get("deleted"):
            yield answer
        for value in answer.values():
            yield from objects_in(value)
    elif isinstance(answer, list):
        for value in answer:
            yield from objects_in(value)


def against_library(thing: JSON) -> list[str]:
    """Where an object is not as the library declares its kind."""
    kind = str(thing["object"])
    return list(_of_class(CLASSES[kind], thing, kind))


def _of_class(declared: type, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {value!r} is no object"
        return
    annotations = inspect.get_annotations(declared).items()
    hints = {name: hint for name, hint in annotations if get_origin(hint) is not ClassVar}
    for name in value.keys() - hints.keys():
        yield f"{path}.{name}: not in the library's {declared.__qualname__}"
    for name, hint in hints.items():
        if name in value:
            yield from _of_hint(hint, declared, value[name], f"{path}.{name}")
        elif not _nullable(hint):
            yield f"{path}.{name}: lacking"


def _nullable(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint)


def _of_hint(hint: Any, owner: type, value: Any, path: str) -> Iterator[str]:
    choices = list(get_args(hint)) if get_origin(hint) in (Union, types.UnionType) else [hint]
    choices = [inner for choice in choices for inner in _flat(choice)]
    if value is None:
        if type(None) not in choices:
            yield f"{path}: null"
        return
    words = [word for choice in choices if get_origin(choice) is Literal for word in get_args(choice)]
    if words and isinstance(value, str | bool):
        if value not in words:
            yield f"{path}: {value!r} is none of {words[:6]}…"
        return
    problems: list[str] = []
    for choice in (one for one in choices if one is not type(None)):
        found = list(_of_choice(choice, owner, value, path))
        if not found:
            return
        problems.extend(found)
    yield from problems or [f"{path}: {value!r} is nothing that the library declares"]


def _flat(choice: Any) -> list[Any]:
    return list(get_args(choice)) if get_origin(choice) in (Union, types.UnionType) else [choice]


_PLAIN: dict[Any, type | tuple[type, ...]] = {str: str, int: int, bool: bool, float: (int, float), Decimal: str}


def _of_choice(choice: Any, owner: type, value: Any, path: str) -> Iterator[str]:
    if isinstance(choice, str):
        choice = ForwardRef(choice)
    if isinstance(choice, ForwardRef):
        choice = _resolved(choice.__forward_arg__, owner)
    if choice in _PLAIN:
        if not isinstance(value, _PLAIN[choice]) or (isinstance(value, bool) and choice is not bool):
            yield f"{path}: {value!r} is no {choice.__name__}"
    elif choice is Any:
        return
    elif get_origin(choice) is list:
        yield from _members(get_args(choice)[0], owner, value, path)
    elif get_origin(choice) is stripe.ListObject:
        yield from _members(get_args(choice)[0], owner, value.get("data"), f"{path}.data")
    elif (get_origin(choice) or choice) is UntypedStripeObject:
        if not isinstance(value, dict):
            yield f"{path}: {value!r} is no hash"
    else:
        yield from _of_class(choice, value, path)


def _members(hint: Any, owner: type, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{path}: {value!r} is no list"
        return
    for position, member in enumerate(value):
        yield from _of_hint(hint, owner, member, f"{path}[{position}]")


def _resolved(name: str, owner: type) -> Any:
    """A class that is named before it is there, or only for type checkers."""
    head, *rest = name.split(".")
    found = getattr(sys.modules[owner.__module__], head, None) or getattr(stripe, head)
    for part in rest:
        found = getattr(found, part)
    return found


def against_example(example: Any, sent: Any, path: str) -> list[str]:
    """Where something lacks fields of Stripe's example, or has them of another type.

    Null says nothing of a type: whether it may stand there is the library's to say. What comes in several types
    (``"type"``) is compared with an example of the same type only.
    """
    if example is None or sent is None:
        return []
    if isinstance(example, str) and isinstance(sent, dict) and "object" in sent:
        return []  # it was asked for in place of its id, and is compared as what it is
    if isinstance(example, dict) and isinstance(sent, dict):
        if example.get("type") != sent.get("type") and "object" not in example:
            return []
        lacking = [f"{path}.{name}: lacking" for name in example if name not in sent and not path.endswith("metadata")]
        inner = [
            problem
            for name in example.keys() & sent.keys()
            for problem in against_example(example[name], sent[name], f"{path}.{name}")
        ]
        return lacking + inner
    if isinstance(example, list) and isinstance(sent, list):
        return [problem for one in sent for problem in against_example(next(iter(example), None), one, f"{path}[]")]
    if type(example) is not type(sent):
        return [f"{path}: {sent!r} is of another type than {example!r}"]
    return []
