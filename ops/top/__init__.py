"""`./mana top`: what an instance does now, as a screen that changes, as text or as JSON."""
