-- How many top-ups are not over, by state.
SELECT state, count(*) AS number FROM credits.topup_payments WHERE state <> 'over' GROUP BY state
