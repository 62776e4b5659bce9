-- Of this session alone, and found before the real one.
CREATE TEMPORARY TABLE usage_stats (LIKE credits.usage_stats INCLUDING ALL)
