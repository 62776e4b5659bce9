-- How far the schema has come, and the last step that older programs do not survive.
SELECT coalesce(max(number), 0) AS newest, coalesce(max(number) FILTER (WHERE phase = 'contract'), 0) AS contracted
FROM mana.migrations
