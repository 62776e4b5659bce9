"""The administrators' routes of packages. They translate; what they do is in the service that they are given."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Response

from api.auth.admin.routes import By
from api.auth.bodies import Body, DoneView
from api.auth.caching import keep_out_of_caches
from api.credits.packages.acting import PackageActs
from api.credits.packages.declared import PackageBody, PackageId
from api.credits.views import Package
from api.paths import BASE
from api.problems_documented import answers
from api.throttle.limited import limited
from contracts.errors import ErrorCode

ThisPackage = Annotated[PackageId, Path(alias="packageId")]


class PriceView(Body):
    """A price in another currency than euro; ``amount`` is in its smallest unit."""

    currency: str
    amount: int
    stripe_price_id: str | None


class PackageView(Body):
    """A package as administrators see it; one that is not ``active`` is retired, and cannot be bought."""

    id: str
    name: str
    description: str
    credits: int
    price_euro_cents: int
    stripe_price_id: str | None
    sort_order: int
    active: bool
    other_prices: list[PriceView]

    @classmethod
    def of(cls, package: Package) -> PackageView:
        """The view of a package."""
        return cls.model_validate(msgspec.to_builtins(package))


@dataclass(frozen=True)
class PackageRoutes:
    """The routes' handlers, over their service."""

    acts: PackageActs

    def router(self) -> APIRouter:
        """The routes below ``/admin/packages``."""
        around = [limited("admin"), Depends(keep_out_of_caches)]
        router = APIRouter(prefix=f"{BASE}/admin/packages", tags=["admin"], dependencies=around)

        def add(method: str, path: str, handler: Any, *codes: ErrorCode) -> None:
            every = answers("unauthorized", "forbidden", *codes)
            if method == "PUT":
                every[201] = {"model": PackageView, "description": "Created"}
            router.add_api_route(path, handler, methods=[method], responses=every)

        add("GET", "", self.list_every_package)
        add("PUT", "/{packageId}", self.declare_package, "invalid_request", "payload_too_large")
        add("DELETE", "/{packageId}", self.retire_package, "not_found", "invalid_request", "payload_too_large")
        return router

    async def list_every_package(self, by: By) -> list[PackageView]:
        """All packages in the order in which they are shown, those that are retired too."""
        return [PackageView.of(package) for package in await self.acts.every(by)]

    async def declare_package(
        self, by: By, package_id: ThisPackage, body: PackageBody, response: Response
    ) -> PackageView:
        """Makes a package what is declared, a new one (201) or one that is known.

        What is left out is not set, but for `sortOrder`: without it the package keeps its place, or becomes the last.
        One that was retired can be bought again. Purchases that are under way keep the price that they began with.
        """
        package, kind = await self.acts.declare(by, package_id, body)
        if kind == "new":
            response.status_code = HTTPStatus.CREATED
        return PackageView.of(package)

    async def retire_package(self, by: By, package_id: ThisPackage) -> DoneView:
        """Takes a package out of what can be bought; it is not deleted, and purchases under way go on.

        A second time changes nothing.
        """
        await self.acts.retire(by, package_id)
        return DoneView()
