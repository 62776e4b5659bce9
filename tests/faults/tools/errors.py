"""What a tool says when a fault did not happen, or cannot."""

from __future__ import annotations


class ToolError(AssertionError):
    """A fault that was asked for did not happen: a scenario that goes on would prove nothing."""


class NotPermittedError(Exception):
    """This machine does not allow what a scenario needs: it was not run, which is neither clean nor broken."""
