"""Reconciliation: what Stripe has is compared with what we have, and what never arrived is fed like a webhook.

``comparing`` is pure; ``looking`` reads Stripe's side, ``store`` ours; ``feeding`` queues events; ``run`` joins them.
``python -m workers.payments.reconciling`` is for operators, ``timer`` does it each hour.
"""
