"""Whether what a process finds is what it can work with."""
