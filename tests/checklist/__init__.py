"""SECURITY.md's checklist: which of its numbers which tests claim, what a run has shown, and the page of it."""
