"""The plan's scenarios, a module for each family. Importing a module registers what it holds."""

from __future__ import annotations

import importlib
import pkgutil


def load_all() -> None:
    """Imports every family."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
