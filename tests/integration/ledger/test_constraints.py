"""What PostgreSQL itself refuses, whoever asks: each invariant that a constraint can hold."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import asyncpg
import pytest

from tests.integration.ledger.owner import Owner
from tests.integration.ledger.server import Database

MOST = 2**53 - 1


def _transaction(**changed: str) -> str:
    """An insert of a second transaction that would do, but for what is changed; values are SQL."""
    row = {
        "partition": "0",
        "position": "99",
        "account_id": "account_id",
        "id": "gen_random_uuid()",
        "sequence": "2",
        "type": "'usage'",
        "status": "'completed'",
        "amount": "-50",
        "balance_before": "150",
        "balance_after": "100",
        "app_id": "'chat'",
        "origin": "'app'",
        "description": "'x'",
        "idempotency_key": "'k'",
        "operation": "'[]'",
        "balance": "0",
        "free_credits_remaining": "100",
        "total_earned": "150",
        "total_spent": "50",
        "created_at": "now()",
        "completed_at": "now()",
        **changed,
    }
    return f"INSERT INTO credits.transactions ({', '.join(row)}) SELECT {', '.join(row.values())} FROM credits.balances"


def _posting(**changed: str) -> str:
    row = {
        "partition": "0",
        "position": "99",
        "number": "1",
        "account_id": "account_id",
        "source": "account_id::text",
        "destination": "'system:revenue'",
        "lot_id": "gen_random_uuid()",
        "amount": "1",
        **changed,
    }
    return f"INSERT INTO credits.postings ({', '.join(row)}) SELECT {', '.join(row.values())} FROM credits.balances"


def _lot(**changed: str) -> str:
    row = {
        "account_id": "gen_random_uuid()",
        "id": "gen_random_uuid()",
        "kind": "'bonus'",
        "free": "true",
        "granted": "2",
        "remaining": "2",
        "created_at": "now()",
        **changed,
    }
    return f"INSERT INTO credits.lots ({', '.join(row)}) VALUES ({', '.join(row.values())})"


REFUSED = [
    "UPDATE credits.balances SET balance = -1",
    "UPDATE credits.balances SET free_credits_remaining = -1",
    "UPDATE credits.balances SET total_earned = -1",
    "UPDATE credits.balances SET total_spent = -1",
    "UPDATE credits.balances SET sequence = -1",
    f"UPDATE credits.balances SET balance = {MOST}, free_credits_remaining = 1",
    "UPDATE credits.balances SET frozen = NULL",
    "UPDATE credits.lots SET remaining = -1",
    "UPDATE credits.lots SET remaining = granted + 1",
    "UPDATE credits.lots SET free = false",
    _lot(kind="'purchase'"),
    _lot(kind="'other'"),
    _lot(granted="0", remaining="0"),
    _lot(expires_at="now()", created_at="NULL"),
    _transaction(amount="50", balance_after="200", free_credits_remaining="200"),
    _transaction(type="'bonus'"),
    _transaction(type="'purchase'"),
    _transaction(type="'other'"),
    _transaction(type="'refund'", amount="50", balance_after="200", free_credits_remaining="200"),
    _transaction(type="'expiry'", amount="0", balance_after="150", free_credits_remaining="150"),
    _transaction(type="'adjustment'", amount="0", balance_after="150", free_credits_remaining="150"),
    _transaction(balance_after="101", free_credits_remaining="101"),
    _transaction(balance="1"),
    _transaction(amount="-151", balance_after="-1", free_credits_remaining="-1"),
    _transaction(status="'pending'"),
    _transaction(origin="'nobody'"),
    _transaction(app_id="NULL"),
    _transaction(sequence="1"),
    _transaction(sequence="0"),
    _transaction(position="0"),
    _transaction(idempotency_key="'open'"),
    _transaction(idempotency_key="''"),
    _transaction(idempotency_key="repeat('x', 201)"),
    _transaction(description="''"),
    _transaction(description="repeat('x', 501)"),
    _transaction(id="(SELECT id FROM credits.transactions)"),
    _transaction(total_spent="-1"),
    "UPDATE credits.transactions SET metadata = '{'",
    _posting(amount="0"),
    _posting(amount="-1"),
    _posting(destination="account_id::text"),
    _posting(source="'system:bonus'"),
    _posting(destination="gen_random_uuid()::text"),
    _posting(source="gen_random_uuid()::text"),
    _posting(asset="'gold'"),
    _posting(number="0"),
    "UPDATE credits.partitions SET confirmed = position + 1",
    "UPDATE credits.partitions SET confirmed = -1, position = 0",
    "INSERT INTO credits.partitions (partition) VALUES (0)",
    *(
        f"INSERT INTO credits.usage_stats SELECT account_id, now(), {wrong} FROM credits.balances"
        for wrong in (
            *("24, 'chat', '', 1, 1, 0, 0", "-1, 'chat', '', 1, 1, 0, 0", "9, '', '', 1, 1, 0, 0"),
            *("9, 'chat', repeat('m', 101), 1, 1, 0, 0", "9, 'chat', '', 2, 1, 0, 0", "9, 'chat', '', -1, 1, 0, 0"),
            *("9, 'chat', '', 0, 0, 2, 1", "9, 'chat', '', 0, 0, -1, 0"),
        )
    ),
    "INSERT INTO credits.usage_progress SELECT account_id, -1 FROM credits.balances",
    "INSERT INTO credits.usage_reader (stream_offset, event_id) VALUES (-1, '')",
    "INSERT INTO credits.usage_reader VALUES (false, 0, '')",
    (
        "INSERT INTO credits.packages (id, name, description, credits, price_euro_cents, sort_order)"
        " VALUES ('x', 'x', 'x', 0, 1, 1)"
    ),
    (
        "INSERT INTO credits.purchases (account_id, id, package_id, credits, price_euro_cents, amount, status,"
        " created_at) VALUES (gen_random_uuid(), gen_random_uuid(), 'none', 1, 1, 1, 'pending', now())"
    ),
]


def _purchase(**changed: str) -> str:
    """A paid one with a refund, a debt and a dispute, but for what is changed."""
    row = {
        "account_id": "account_id",
        "id": "gen_random_uuid()",
        "package_id": "'credits-500'",
        "credits": "500",
        "price_euro_cents": "500",
        "amount": "500",
        "currency": "'eur'",
        "status": "'disputed'",
        "stripe_payment_intent_id": "'pi_new'",
        "stripe_checkout_session_id": "'cs_new'",
        "paid": "true",
        "refunds": """'{"re_1": [200, "succeeded"]}'""",
        "disputes": """'{"dp_1": [300, "open"]}'""",
        "taken": "200",
        "debt": "100",
        "written_off": "100",
        "held": "300",
        "created_at": "now()",
        "completed_at": "now()",
        **changed,
    }
    return f"INSERT INTO credits.purchases ({', '.join(row)}) SELECT {', '.join(row.values())} FROM credits.balances"


OF_PURCHASES = [
    _purchase(amount="0"),
    _purchase(amount="NULL"),
    _purchase(currency="'EUR'"),
    _purchase(origin="'shop'"),
    _purchase(status="'other'"),
    _purchase(paid="false"),
    _purchase(completed_at="NULL"),
    _purchase(status="'pending'"),
    _purchase(status="'failed'"),
    _purchase(stripe_payment_intent_id="NULL"),
    _purchase(stripe_payment_intent_id="'pi_old'"),
    _purchase(stripe_checkout_session_id="'cs_old'"),
    _purchase(refunds="'[]'"),
    _purchase(disputes="'3'"),
    _purchase(taken="501"),
    _purchase(taken="199"),
    _purchase(debt="-1"),
    _purchase(written_off="-1", debt="0"),
    _purchase(held="-1"),
    _purchase(held="501"),
    _purchase(status="'pending'", paid="false", completed_at="NULL"),
    _transaction(type="'clawback'", app_id="NULL"),
    _posting(source="'debt:' || account_id"),
    _posting(destination="'debt:' || gen_random_uuid()"),
    _posting(source="'system:stripe'", destination="'debt:' || gen_random_uuid()"),
    _posting(source="'system:stripe'", destination="'system:revenue'"),
    _posting(source="'system:disputed'", destination="'system:written_off'"),
    _posting(source="'debt:' || account_id", destination="account_id::text"),
]
_NOTHING = {"taken": "0", "debt": "0", "written_off": "0", "held": "0"}
_UNPAID = {"status": "'failed'", "paid": "false", "completed_at": "NULL", "stripe_payment_intent_id": "NULL"}
_NO_CHANGE = {"amount": "0", "balance_after": "150", "free_credits_remaining": "150"}
FITTING = [
    _transaction(),
    _posting(),
    _lot(),
    _purchase(),
    _purchase(**_UNPAID, **_NOTHING),
    _transaction(type="'clawback'", app_id="NULL", refers_to="gen_random_uuid()"),
    _transaction(type="'clawback'", app_id="NULL", refers_to="gen_random_uuid()", **_NO_CHANGE),
    _posting(destination="'debt:' || account_id"),
    _posting(source="'debt:' || account_id", destination="'system:stripe'"),
    _posting(source="'system:stripe'", destination="'debt:' || account_id"),
    _posting(source="'system:written_off'", destination="'system:stripe'"),
    _posting(source="'system:stripe'", destination="'system:disputed'"),
]


@pytest.fixture(scope="module")
async def one_account(shared: Database) -> AsyncGenerator[asyncpg.Connection]:
    """A superuser's connection to a ledger with one account."""
    async with Owner.of(shared) as owner:
        await owner.open(partition=0)
    connection = await asyncpg.connect(shared.admin)
    await connection.execute(_purchase(stripe_payment_intent_id="'pi_old'", stripe_checkout_session_id="'cs_old'"))
    yield connection
    await connection.close()


@pytest.mark.parametrize("command", REFUSED + OF_PURCHASES)
async def test_it_is_refused(one_account: asyncpg.Connection, command: str) -> None:
    with pytest.raises((asyncpg.IntegrityConstraintViolationError, asyncpg.InvalidTextRepresentationError)):
        await one_account.execute(command)


@pytest.mark.parametrize("command", FITTING)
async def test_the_same_without_the_flaw_is_not(one_account: asyncpg.Connection, command: str) -> None:
    trial = one_account.transaction()
    await trial.start()
    await one_account.execute(command)
    await trial.rollback()


async def test_every_key_of_the_ledger_holds_the_account(one_account: asyncpg.Connection) -> None:
    """So that the tables can be distributed by it; what workers keep for themselves, what Stripe is told and tells,
    and the catalogue are no ledger.

    Of purchases two more keys are of Stripe's ids alone: one payment must not pay for two users.
    """
    keys = await one_account.fetch(
        """
        SELECT index.indrelid::regclass::text AS "table", array_agg(attribute.attname::text) AS columns
        FROM pg_index AS index
        JOIN pg_attribute AS attribute ON attribute.attrelid = index.indrelid AND attribute.attnum = ANY(index.indkey)
        WHERE index.indisunique AND index.indrelid::regclass::text LIKE 'credits.%'
        GROUP BY index.indexrelid, index.indrelid
        """
    )
    without = {key["table"]: key["columns"] for key in keys if "account_id" not in key["columns"]}
    others = {
        *("credits.partitions", "credits.workers", "credits.packages", "credits.package_prices"),
        *("credits.stripe_events", "credits.reconciliations", "credits.forgotten_customers", "credits.late_payments"),
        *("credits.topup_payments", "credits.topup_rounds", "credits.topup_stops", "credits.apps"),
        "credits.usage_reader",
    }
    assert without.keys() == others | {"credits.purchases"}
    assert [column.startswith("stripe_") for column in without["credits.purchases"]] == [True]
