"""Packages: what a file is read as, what is wrong with it, and what it changes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from api.credits.packages.differing import DETAILS_BYTES_MAX, Change, FieldChange, details, differ
from api.credits.views import Package, Price
from api.operators.packages.__main__ import main
from api.operators.packages.reading import NoPackages, read
from api.operators.packages.showing import as_file, differences

SMALL = Package("small", "Small", "5 credits", 5, 100, None, 1, active=True, other_prices=())
LARGE = Package(
    "large", "Groß: 50", "50 credits", 50, 900, "price_1", 2, active=True, other_prices=(Price("usd", 990, None),)
)
GONE = msgspec.structs.replace(SMALL, id="gone", active=False, sort_order=9)
FILE = """\
- id: small
  name: Small
  description: 5 credits
  credits: 5
  priceEuroCents: 100
- id: large
  name: "Groß: 50"
  description: 50 credits
  credits: 50
  priceEuroCents: 900
  stripePriceId: price_1
  otherPrices: [{currency: usd, amount: 990}]
"""
SPOILT = """\
- id: a b
  name: 5
  description: "a\\tb"
  credits: 0
  priceEuroCents: 1.5
  stripePriceId: prod_1
  sortOrder: yes
  color: red
- id: b
  id: c
  name: ''
- id: c
  name: n
  description: d
  credits: 1000000001
  priceEuroCents: 100000000
  otherPrices:
    - {currency: USD, amount: 0}
    - {currency: eur, amount: 1}
- id: d
  name: n
  description: d
  credits: 1
  priceEuroCents: !!int five
  otherPrices:
    - {currency: usd, amount: 1}
    - {currency: usd, amount: 2}
- just text
"""
WRONG = [
    "line 1: id must be 1 to 64 of A-Z a-z 0-9 _ -, a letter or a digit at first",
    "line 2: name must be a string",
    "line 3: description holds a control character or a lone surrogate",
    "line 4: credits must be at least 1",
    "line 5: priceEuroCents must be a whole number",
    "line 6: stripePriceId is no id of a price at Stripe, which begins with price_",
    "line 7: sortOrder must be a whole number",
    "line 8: color is not known",
    "line 9: credits is required",
    "line 9: description is required",
    "line 9: priceEuroCents is required",
    "line 10: id is given twice",
    "line 11: name must not be empty",
    "line 12: id c is declared in line 10 already",
    "line 15: credits must be at most 1000000000",
    "line 16: priceEuroCents must be at most 99999999",
    "line 18: otherPrices.0.amount must be at least 1",
    "line 18: otherPrices.0.currency must be the three small letters of another currency than euro, as usd",
    "line 19: otherPrices.1.currency must be the three small letters of another currency than euro, as usd",
    "line 24: five is not what it looks like: quote it",
    "line 24: priceEuroCents must be a whole number",
    "line 25: otherPrices has more than one price in usd",
    "line 28: the entry must be an object",
]


def test_a_file_is_read_in_its_order() -> None:
    assert read(FILE) == [SMALL, LARGE]
    assert read("[]") == []
    (moved,) = read(FILE.split("- id: large", maxsplit=1)[0] + "  sortOrder: 7\n")
    assert moved.sort_order == 7


def test_all_that_is_wrong_is_said_at_once_with_its_line() -> None:
    with pytest.raises(NoPackages) as wrong:
        read(SPOILT)
    assert wrong.value.complaints == WRONG


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: is no list of packages"),
        ("id: small", "line 1: is no list of packages"),
        ("\n- [", "line 2: is no YAML"),
        ("- a: \x01", "no YAML that can be read"),
        ("[" * 500, "no YAML that can be read"),
        ("- &a {id: a}\n- *a", "line 1: is referred to again"),
        ("&a [*a]", "line 1: is referred to again"),
        ("[]\n---\n[]", "line 2: is no YAML"),
        ("- !!python/object/apply:os.getcwd []", "line 1: the entry must be an object"),
    ],
)
def test_what_is_no_list_of_packages(text: str, complaint: str) -> None:
    with pytest.raises(NoPackages) as wrong:
        read(text)
    assert len(wrong.value.complaints) == 1
    assert complaint in wrong.value.complaints[0]


def test_the_program_says_what_is_wrong_and_reaches_for_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "packages.yaml"
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/nowhere")
    monkeypatch.setenv("MANA_AMQP_URL", "amqp://127.0.0.1:1/")
    assert main(["apply", str(file)]) == 2
    assert f"{file} cannot be read" in capsys.readouterr().err
    file.write_bytes(b"- id: \xff\n")
    assert main(["apply", str(file)]) == 2
    assert f"{file} cannot be read" in capsys.readouterr().err
    file.write_text(FILE.replace("credits: 50\n", "credits: 50\n  colour: red\n"))
    assert main(["apply", str(file)]) == 2
    assert capsys.readouterr().err == f"{file}, line 10: colour is not known\n"
    file.write_text("[]\n")
    assert main(["apply", str(file)]) == 2
    assert capsys.readouterr().err == f"{file} declares no package, and would retire all: say so by --retire-all.\n"
    assert main(["apply", "--retire-all", str(file)]) == 1
    assert capsys.readouterr().err.startswith("Nothing was changed: the database cannot be reached")
    file.write_text(FILE)
    assert main(["apply", str(file)]) == 1
    assert capsys.readouterr().err.startswith("Nothing was changed: the database cannot be reached")


def test_what_is_kept_becomes_what_is_declared() -> None:
    cheaper = msgspec.structs.replace(
        LARGE, price_euro_cents=800, stripe_price_id=None, other_prices=(Price("jpy", 9, None), Price("usd", 880, None))
    )
    back = msgspec.structs.replace(GONE, active=True, credits=6)
    other = msgspec.structs.replace(SMALL, id="other")
    fresh = msgspec.structs.replace(SMALL, id="fresh", sort_order=3)
    changes = differ([SMALL, LARGE, other, GONE], [cheaper, back, fresh, other])
    assert changes == [
        Change(
            "changed",
            "large",
            (
                FieldChange("priceEuroCents", 900, 800),
                FieldChange("stripePriceId", "price_1", None),
                FieldChange("otherPrices.usd", 990, 880),
                FieldChange("otherPrices.jpy", None, 9),
            ),
        ),
        Change("brought back", "gone", (FieldChange("credits", 5, 6),)),
        Change(
            "new",
            "fresh",
            (
                FieldChange("name", None, "Small"),
                FieldChange("description", None, "5 credits"),
                FieldChange("credits", None, 5),
                FieldChange("priceEuroCents", None, 100),
                FieldChange("sortOrder", None, 3),
            ),
        ),
        Change("unchanged", "other"),
        Change("retired", "small"),
    ]
    assert differences([*changes[:2], *changes[3:]]) == (
        "changed       large\n"
        "              priceEuroCents: 900 → 800\n"
        "              stripePriceId: price_1 → none\n"
        "              otherPrices.usd: 990 → 880\n"
        "              otherPrices.jpy: none → 9\n"
        "brought back  gone\n"
        "              credits: 5 → 6\n"
        "unchanged     other\n"
        "retired       small\n"
        "1 changed, 1 brought back, 1 retired, 1 unchanged"
    )
    assert "              priceEuroCents: 100\n" in differences([changes[2]])


def test_a_second_time_there_is_nothing_to_change() -> None:
    assert differ([SMALL, LARGE, GONE], [LARGE, SMALL]) == [Change("unchanged", "large"), Change("unchanged", "small")]
    assert differences(differ([SMALL, GONE], [SMALL])).endswith("\nNothing to change.")


def test_what_is_listed_is_a_file_of_the_same_packages() -> None:
    listed = as_file([SMALL, LARGE, GONE])
    assert read(listed) == [SMALL, LARGE]
    assert "# retired: gone: Small, 5 credits for 100 euro cents\n" in listed
    assert read(as_file([GONE])) == []


def test_a_change_is_told_whole_in_events_that_fit() -> None:
    prices = tuple(Price(f"a{letter}a", 10**12, "price_" + "x" * 249) for letter in "abcdefghijklmnopqrstuvwxyz")
    wide = msgspec.structs.replace(LARGE, description="\U0001f600" * 400, other_prices=prices)
    (change,) = differ([msgspec.structs.replace(LARGE, description="\U0001f601" * 400)], [wide])
    told = list(details(change))
    assert len(told) > 1
    assert max(len(msgspec.json.encode(event)) for event in told) <= DETAILS_BYTES_MAX
    old, new = ([pair for event in told for pair in event[side].items()] for side in ("old", "new"))
    assert old == [(item.field, item.old) for item in change.fields if item.old is not None]
    assert new == [(item.field, item.new) for item in change.fields if item.new is not None]
    assert [*details(Change("retired", "small"))] == [{"package": "small", "change": "retired", "old": {}, "new": {}}]
