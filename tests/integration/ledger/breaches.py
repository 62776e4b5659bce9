"""The ways to break each invariant by hand; ``{user}`` or ``{buyer}`` is the account that is to be named."""

from __future__ import annotations

USAGE = "(SELECT id FROM credits.transactions WHERE account_id = '{user}' AND type = 'usage')"
PURCHASES = "UPDATE credits.purchases"
POSTINGS = "UPDATE credits.postings"
BUYERS = "account_id = '{buyer}'"
OWED = f"{BUYERS} AND source LIKE 'debt:%'"
FIGURES = ("taken", "held", "debt", "written_off")
STATUSES = ("pending", "failed", "disputed", "refunded")

BREAKS: dict[str, list[str]] = {
    "balance_is_lots": [
        "UPDATE credits.lots SET remaining = remaining - 1 WHERE account_id = '{user}' AND kind = 'signup'",
        "DELETE FROM credits.balances WHERE account_id = '{user}'",
    ],
    "balance_is_postings": [
        "UPDATE credits.balances SET free_credits_remaining = 999 WHERE account_id = '{user}'",
        "DELETE FROM credits.postings WHERE account_id = '{user}' AND destination = '{user}'",
    ],
    "nothing_negative": [
        "UPDATE credits.lots SET remaining = -1 WHERE account_id = '{user}'",
        "UPDATE credits.balances SET balance = -1 WHERE account_id = '{user}'",
        "UPDATE credits.transactions SET total_spent = -1 WHERE account_id = '{user}'",
    ],
    "postings_have_two_sides": [
        "UPDATE credits.postings SET destination = source WHERE account_id = '{user}'",
        "UPDATE credits.postings SET amount = -amount WHERE account_id = '{user}'",
        "UPDATE credits.postings SET destination = 'other' WHERE account_id = '{user}' AND source = '{user}'",
        "UPDATE credits.postings SET source = 'system:x', destination = 'system:y' WHERE account_id = '{user}'",
        f"{POSTINGS} SET source = 'debt:' || gen_random_uuid() WHERE {OWED}",
        f"{POSTINGS} SET destination = 'system:revenue' WHERE {OWED}",
        f"{POSTINGS} SET destination = source, source = destination WHERE {BUYERS} AND destination LIKE 'debt:%'",
        f"{POSTINGS} SET source = 'system:bonus' WHERE {BUYERS} AND source = 'system:written_off'",
    ],
    "postings_sum_to_zero": [
        "UPDATE credits.balances SET balance = balance + 1 WHERE account_id = '{user}'",
        "UPDATE credits.postings SET asset = 'gold' WHERE account_id = '{user}'",
        f"DELETE FROM credits.postings WHERE {BUYERS} AND destination LIKE 'debt:%'",
    ],
    "amount_is_postings": [
        "UPDATE credits.postings SET amount = amount + 1 WHERE account_id = '{user}'",
        "DELETE FROM credits.postings WHERE account_id = '{user}'",
        "DELETE FROM credits.transactions WHERE account_id = '{user}' AND sequence = 2",
        f"UPDATE credits.transactions SET amount = 1 WHERE {BUYERS} AND type = 'clawback' AND amount = 0",
    ],
    "sequence_gapless": [
        "UPDATE credits.transactions SET sequence = 99 WHERE account_id = '{user}' AND sequence = 2",
        "UPDATE credits.transactions SET sequence = sequence + 1 WHERE account_id = '{user}'",
        "UPDATE credits.balances SET sequence = sequence + 1 WHERE account_id = '{user}'",
        "UPDATE credits.transactions SET sequence = 2 WHERE account_id = '{user}' AND sequence = 3",
    ],
    "balance_chain": [
        (
            "UPDATE credits.transactions SET balance_before = balance_before + 1, balance_after = balance_after + 1,"
            " free_credits_remaining = free_credits_remaining + 1 WHERE account_id = '{user}' AND sequence = 2"
        ),
        "UPDATE credits.transactions SET balance_after = 0 WHERE account_id = '{user}' AND sequence = 3",
        "UPDATE credits.transactions SET balance = balance + 1 WHERE account_id = '{user}'",
    ],
    "last_figures": [
        "UPDATE credits.balances SET total_earned = total_earned + 1 WHERE account_id = '{user}'",
        (
            "UPDATE credits.balances SET balance = balance + 1, free_credits_remaining = free_credits_remaining - 1"
            " WHERE account_id = '{user}'"
        ),
        "DELETE FROM credits.transactions WHERE account_id = '{user}'",
    ],
    "totals": [
        "UPDATE credits.transactions SET total_earned = total_earned + 1 WHERE account_id = '{user}'",
        "UPDATE credits.transactions SET total_spent = 0 WHERE account_id = '{user}' AND sequence = 2",
        f"UPDATE credits.transactions SET total_earned = total_earned - amount WHERE {BUYERS} AND type = 'clawback'",
    ],
    "one_answer_per_key": [
        "UPDATE credits.transactions SET idempotency_key = 'k' WHERE account_id = '{user}'",
        (
            "INSERT INTO credits.keys SELECT account_id, 'use', '', 0, 0, 0, 0, now() FROM credits.balances"
            " WHERE account_id = '{user}'"
        ),
    ],
    "one_transaction_per_id": [
        f"UPDATE credits.transactions SET id = {USAGE} WHERE account_id = '{{user}}'",
        f"UPDATE credits.transactions SET id = {USAGE} WHERE account_id <> '{{user}}'",
    ],
    "positions_gapless": [
        "UPDATE credits.partitions SET position = position + 1 WHERE partition = 3",
        "UPDATE credits.transactions SET position = 99 WHERE partition = 3 AND position = 2",
        "UPDATE credits.transactions SET position = position + 1 WHERE partition = 3",
        "DELETE FROM credits.partitions WHERE partition = 3",
    ],
    "marks_behind_positions": ["UPDATE credits.partitions SET confirmed = position + 1 WHERE partition = 3"],
    "refunds_within_usage": [
        "UPDATE credits.transactions SET amount = 51 WHERE account_id = '{user}' AND type = 'refund'",
        "UPDATE credits.transactions SET refers_to = gen_random_uuid() WHERE account_id = '{user}' AND type = 'refund'",
        "UPDATE credits.transactions SET type = 'adjustment' WHERE account_id = '{user}' AND type = 'usage'",
    ],
    "lots_against_postings": [
        "UPDATE credits.lots SET remaining = remaining - 1 WHERE account_id = '{user}'",
        "UPDATE credits.lots SET granted = granted + 1 WHERE account_id = '{user}'",
        "UPDATE credits.postings SET lot_id = gen_random_uuid() WHERE account_id = '{user}' AND source = '{user}'",
        "DELETE FROM credits.lots WHERE account_id = '{user}'",
        f"{POSTINGS} SET source = '{{buyer}}' WHERE {OWED}",
    ],
    "usage_stats": [
        "UPDATE credits.usage_stats SET uses = uses + 1 WHERE account_id = '{user}'",
        "UPDATE credits.usage_stats SET credits = credits - 1 WHERE account_id = '{user}'",
        "DELETE FROM credits.usage_stats WHERE account_id = '{user}'",
        "UPDATE credits.usage_stats SET day = day - 1 WHERE account_id = '{user}'",
        "UPDATE credits.usage_stats SET hour = 23 - hour WHERE account_id = '{user}'",
        "UPDATE credits.usage_stats SET model = 'x' WHERE account_id = '{user}'",
        "UPDATE credits.usage_stats SET refunds = 0 WHERE account_id = '{user}'",
        "UPDATE credits.usage_stats SET refunded = refunded + 1 WHERE account_id = '{user}'",
        "UPDATE credits.usage_progress SET sequence = sequence + 1 WHERE account_id = '{user}'",
    ],
    "answers_of_accounts": [
        (
            "INSERT INTO credits.keys VALUES ('{user}', 'none', '', 0, 0, 0, 0, now());"
            "DELETE FROM credits.balances WHERE account_id = '{user}'"
        )
    ],
    "purchases_credited": [
        f"{PURCHASES} SET paid = false, completed_at = NULL WHERE {BUYERS} AND status = 'refunded'",
        f"{PURCHASES} SET paid = true WHERE {BUYERS} AND status = 'failed'",
        f"{PURCHASES} SET credits = credits + 1 WHERE {BUYERS}",
        f"DELETE FROM credits.purchases WHERE {BUYERS} AND status = 'refunded'",
        f"DELETE FROM credits.transactions WHERE {BUYERS} AND type = 'purchase'",
        f"UPDATE credits.transactions SET amount = amount - 1 WHERE {BUYERS} AND type = 'purchase'",
        f"UPDATE credits.transactions SET id = gen_random_uuid() WHERE {BUYERS} AND type = 'purchase'",
        f"UPDATE credits.transactions SET refers_to = gen_random_uuid() WHERE {BUYERS} AND type = 'clawback'",
        f"UPDATE credits.lots SET granted = granted + 1 WHERE {BUYERS} AND kind = 'purchase'",
        f"DELETE FROM credits.lots WHERE {BUYERS} AND kind = 'purchase'",
        f"{POSTINGS} SET destination = 'system:stripe' WHERE {BUYERS} AND destination = 'system:revenue'",
    ],
    "purchases_against_postings": [
        *(f"{PURCHASES} SET {figure} = {figure} + 1 WHERE {BUYERS}" for figure in FIGURES),
        f"DELETE FROM credits.postings WHERE {BUYERS} AND destination = 'system:disputed'",
        f"DELETE FROM credits.purchases WHERE {BUYERS}",
        f"UPDATE credits.transactions SET refers_to = gen_random_uuid() WHERE {BUYERS} AND type = 'clawback'",
    ],
    "purchases_against_facts": [
        f"{PURCHASES} SET refunds = '{{{{}}}}' WHERE {BUYERS}",
        f"{PURCHASES} SET disputes = '{{{{}}}}' WHERE {BUYERS}",
        f"{PURCHASES} SET refunds = '{{{{\"re\": [1, \"succeeded\"]}}}}' WHERE {BUYERS} AND refunds <> '{{{{}}}}'",
        *(f"{PURCHASES} SET status = 'completed' WHERE {BUYERS} AND status = '{was}'" for was in STATUSES),
        f"{PURCHASES} SET taken = taken + 1 WHERE {BUYERS}",
        f"{PURCHASES} SET held = 1 WHERE {BUYERS} AND status = 'refunded'",
    ],
    "debts": [
        f"{PURCHASES} SET debt = debt + 1 WHERE {BUYERS}",
        f"DELETE FROM credits.postings WHERE {OWED}",
        f"DELETE FROM credits.purchases WHERE {BUYERS}",
    ],
    "purchases_by_day": [
        f"{PURCHASES} SET completed_at = completed_at - interval '1 day' WHERE {BUYERS} AND status = 'refunded'",
        f"DELETE FROM credits.transactions WHERE {BUYERS} AND type = 'purchase'",
    ],
}
"""By hand, for an account in partition 3 with an opening, a use of 50, a refund of 20 and a purchase by adjustment; and
for a buyer with purchases of every status, one in debt, one written off, one held."""

NAMED_BY_PARTITION = {"positions_gapless", "marks_behind_positions"}
NAMED_BY_DAY = {"purchases_by_day"}
NAMED_BY_ASSET = {"postings_sum_to_zero"}
