"""How many requests and attempts of whom are let through. Its face is here; what counts and refuses is to come."""
