"""Joins the front's parts, and takes them apart again. The only place that knows them all: ``parts`` lives as long as
the process, each room's module makes its routes from it, ``front`` runs them."""

from api.wiring.front import Front, WrongSecret, front, imported_key, openapi

__all__ = ["Front", "WrongSecret", "front", "imported_key", "openapi"]
