"""Buying over REST: a purchase's row, and the way to Stripe's checkout; refunds that administrators ask for."""
