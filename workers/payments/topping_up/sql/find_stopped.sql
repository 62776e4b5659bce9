-- Whose top-up is on, and who has got money back since it was switched on, or may get it.
SELECT account_id::text AS account_id FROM credits.topups
WHERE enabled AND livemode = $1 AND account_id > $2
  AND EXISTS (
      SELECT FROM credits.money_back AS known
      WHERE known.account_id = topups.account_id AND known.fact <> ALL (topups.money_back))
ORDER BY account_id
LIMIT $3
