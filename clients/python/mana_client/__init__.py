"""Mana's client for Python: credits of users, events of the ledger, access tokens."""

from mana_client.client import Mana
from mana_client.errors import (
    AccountFrozen,
    AppMismatch,
    DeadlineExceeded,
    Forbidden,
    IdempotencyConflict,
    InsufficientCredits,
    InternalError,
    InvalidRequest,
    InvalidToken,
    KeysUnavailable,
    LoginRefused,
    ManaError,
    NoAnswer,
    NotConnected,
    OutcomeUnknown,
    Overloaded,
    Refused,
    UnknownUser,
)
from mana_client.results import Balance, Result, Transaction

__all__ = [
    "AccountFrozen",
    "AppMismatch",
    "Balance",
    "DeadlineExceeded",
    "Forbidden",
    "IdempotencyConflict",
    "InsufficientCredits",
    "InternalError",
    "InvalidRequest",
    "InvalidToken",
    "KeysUnavailable",
    "LoginRefused",
    "Mana",
    "ManaError",
    "NoAnswer",
    "NotConnected",
    "OutcomeUnknown",
    "Overloaded",
    "Refused",
    "Result",
    "Transaction",
    "UnknownUser",
]
