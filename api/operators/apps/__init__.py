"""Apps and their secrets, by an operator's hand."""
