-- invariant: each posting takes from one what it gives to another
-- counts: credits.postings
SELECT account_id::text AS subject,
    format('posting %s of position %s/%s: %s from %s to %s', number, partition, position, amount, source, destination)
        AS detail
FROM credits.postings
WHERE amount <= 0
   OR source = destination
   OR CASE
       WHEN account_id::text = source THEN destination NOT LIKE 'system:%' AND destination <> 'debt:' || account_id
       WHEN account_id::text = destination THEN source NOT LIKE 'system:%'
       -- Credits of a purchase that were used, or held, when they were taken or given back.
       ELSE 'system:stripe' NOT IN (source, destination)
           OR CASE source WHEN 'system:stripe' THEN destination ELSE source END
               NOT IN ('system:disputed', 'system:written_off', 'debt:' || account_id)
   END
