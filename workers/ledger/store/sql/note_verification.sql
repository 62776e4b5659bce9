INSERT INTO mana.verifications (begun_at, broken)
VALUES (clock_timestamp() - make_interval(secs => $1::float8), $2::text[])
