"""The contract for people: static pages without a script, and without anything from elsewhere."""
