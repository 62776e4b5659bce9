"""Evidence of buying: whatever Stripe tells, however often and in whatever order, and whoever dies meanwhile."""
