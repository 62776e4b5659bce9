-- invariant: each posting takes from one what it gives to another
-- counts: credits.postings
SELECT account_id::text AS subject,
    format('posting %s of position %s/%s: %s from %s to %s', number, partition, position, amount, source, destination)
        AS detail
FROM credits.postings
WHERE amount <= 0
   OR source = destination
   OR (source = account_id::text) = (destination = account_id::text)
   OR CASE account_id::text WHEN source THEN destination ELSE source END NOT LIKE 'system:%'
