"""How many requests and attempts of whom are let through."""
