"""What a tool says when a fault did not happen."""

from __future__ import annotations


class ToolError(AssertionError):
    """A fault that was asked for did not happen: a scenario that goes on would prove nothing."""
