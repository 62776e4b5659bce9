-- Nothing is counted until the transaction ends. Whoever counts begins with these rows, and whoever only reads goes on.
LOCK TABLE credits.usage_progress IN EXCLUSIVE MODE
