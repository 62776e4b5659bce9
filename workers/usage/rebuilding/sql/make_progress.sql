-- Of this session alone, and found before the real one.
CREATE TEMPORARY TABLE usage_progress (LIKE credits.usage_progress INCLUDING ALL)
