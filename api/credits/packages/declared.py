"""A package as it is declared, in a file or over REST: what may stand in it is decided here. Pure."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from api.auth.bodies import Body
from api.credits.queries import matching
from api.credits.views import Package, Price
from api.text import OneLine
from contracts.fields import AMOUNT_MAX

EURO_CENTS_MAX: Final = 99_999_999
"""What Stripe takes at once."""
MONEY_MAX: Final = 1_000_000_000_000
"""In the smallest unit of a currency, some of which are worth little."""
SORT_ORDER_MAX: Final = 1_000_000
_CURRENCIES_MAX: Final = 50


PackageId = Annotated[
    str,
    *matching("[A-Za-z0-9][A-Za-z0-9_-]{0,63}", "must be 1 to 64 of A-Z a-z 0-9 _ -, a letter or a digit at first"),
]
Currency = Annotated[
    str, *matching("(?!eur)[a-z]{3}", "must be the three small letters of another currency than euro, as usd")
]
StripePriceId = Annotated[
    str, *matching("price_[A-Za-z0-9_]{1,249}", "is no id of a price at Stripe, which begins with price_")
]
Name = Annotated[OneLine, Field(min_length=1, max_length=100)]
Description = Annotated[OneLine, Field(min_length=1, max_length=400)]
SortOrder = Annotated[int, Field(strict=True, ge=0, le=SORT_ORDER_MAX)]


class PriceBody(Body):
    """A price in another currency than euro; ``amount`` is in its smallest unit."""

    currency: Currency
    amount: Annotated[int, Field(strict=True, ge=1, le=MONEY_MAX)]
    stripe_price_id: StripePriceId | None = None


def _one_per_currency(prices: list[PriceBody]) -> list[PriceBody]:
    currencies = [price.currency for price in prices]
    twice = sorted({currency for currency in currencies if currencies.count(currency) > 1})
    if twice:
        raise ValueError(f"has more than one price in {', '.join(twice)}")
    return prices


class PackageBody(Body):
    """Body of ``PUT /admin/packages/{packageId}``: all of a package but its id.

    Without ``sortOrder`` it keeps its place, or becomes the last.
    """

    name: Name
    description: Description
    credits: Annotated[int, Field(strict=True, ge=1, le=AMOUNT_MAX)]
    price_euro_cents: Annotated[int, Field(strict=True, ge=1, le=EURO_CENTS_MAX)]
    stripe_price_id: StripePriceId | None = None
    sort_order: SortOrder | None = None
    other_prices: Annotated[list[PriceBody], AfterValidator(_one_per_currency), Field(max_length=_CURRENCIES_MAX)] = []  # noqa: RUF012 - pydantic copies it

    def package(self, package_id: str, sort_order: int) -> Package:
        """The package, which can be bought; at that place where it says none of its own."""
        prices = sorted(self.other_prices, key=lambda price: price.currency)
        return Package(
            id=package_id,
            name=self.name,
            description=self.description,
            credits=self.credits,
            price_euro_cents=self.price_euro_cents,
            stripe_price_id=self.stripe_price_id,
            sort_order=sort_order if self.sort_order is None else self.sort_order,
            active=True,
            other_prices=tuple(Price(price.currency, price.amount, price.stripe_price_id) for price in prices),
        )


class ListedPackage(PackageBody):
    """An entry of a file, with its id."""

    id: PackageId
