-- When the timers' last run in this mode began, and the last that ended well.
SELECT max(begun_at) AS begun_at, max(begun_at) FILTER (WHERE ended_at IS NOT NULL AND problem IS NULL) AS well_at
FROM credits.reconciliations
WHERE asked_by = 'timer' AND livemode = $1
