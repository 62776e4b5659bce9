"""Automatic top-ups: credits that run low are bought anew while their user is away.

``deciding`` is pure; ``looking`` begins payments, ``charging`` asks Stripe for them, ``telling`` tells what switched
top-up off, ``store`` alone speaks to PostgreSQL. One user has one payment under way at most, whatever the number of
workers: the user's row is locked when it begins, and every try asks Stripe for the same payment under the same key.
"""
