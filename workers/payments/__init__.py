"""What Stripe tells: each event is kept once, and told to the ledger until the ledger holds it.

``reading`` and ``translation`` are pure; ``keeping`` takes events in, ``working`` works them off, ``asking`` is the one
module that speaks to Stripe, ``store`` the one that speaks to PostgreSQL.
"""
